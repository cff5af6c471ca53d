// Right-to-left scripts, their digits, and the characters that control direction (Unicode Standard Annex 9).
const BIDIRECTIONAL =
  /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Enclose a person's words in isolates for a sentence in plain text, so that they do not reorder the words around them.
 * @param {string} words
 */
export const isolated = (words) => (BIDIRECTIONAL.test(words) ? `\u2068${words}\u2069` : words);
