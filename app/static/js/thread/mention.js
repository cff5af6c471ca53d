// Functions that complete a name after an `@` in a text. The server decides whether an `@` begins a mention when it
// renders the text; these rules only offer names.

const MAX_LENGTH = 30; // characters of a name, as `MAX_USERNAME_LENGTH` on the server
const MAX_SEARCHED = 3 * MAX_LENGTH; // characters before the caret that are searched
const SIGNS = "@＠﹫";
// Scripts that have no space between words, or between a preposition and the next word.
const JOINING = ["Han", "Hira", "Kana", "Bopo", "Thai", "Laoo", "Khmr", "Mymr", "Hebr", "Arab"];
const JOINS = JOINING.map((script) => `\\p{Script=${script}}`).join("");
// An `@` that is not part of an address, and after it the beginning of a name, which may have spaces in it.
const TYPED = new RegExp(
  `(?:^|[${JOINS}]|[^\\p{L}\\p{N}\\p{M}_${SIGNS}/.])_*[${SIGNS}]` +
    "([\\p{L}\\p{N}_](?:[\\p{L}\\p{M}\\p{N}_.'’ -]*[\\p{L}\\p{M}\\p{N}_])?)$",
  "u",
);

/**
 * The form in which names are compared: nearly the server's form. The server decides.
 * @param {string} name
 */
export const keyOf = (name) => name.normalize("NFKC").toLowerCase().replaceAll("’", "'");

/**
 * The name that is being typed before the caret: {start, prefix}, where `start` is the index of the `@`; or null.
 * @param {string} text
 * @param {number} caret
 */
export function typedAt(text, caret) {
  const line = text.slice(Math.max(0, text.lastIndexOf("\n", caret - 1) + 1), caret);
  const found = TYPED.exec(line.slice(-MAX_SEARCHED));
  if (!found || Array.from(found[1]).length > MAX_LENGTH) return null;
  return { start: caret - found[1].length - 1, prefix: found[1] };
}

/**
 * At most `most` of these people whose names begin with the prefix: each once, in their order.
 * @param {Parley.Person[]} people
 * @param {string} prefix
 * @param {number} most
 */
export function matching(people, prefix, most) {
  const key = keyOf(prefix);
  /** @type {Map<string, Parley.Person>} */
  const found = new Map();
  for (const { id, username } of people) {
    if (found.size === most) break;
    if (keyOf(username).startsWith(key)) found.set(id, { id, username });
  }
  return [...found.values()].slice(0, most);
}

/**
 * The text that replaces the typed prefix.
 * @param {string} username
 */
export const written = (username) => `@${username} `;
