// Merges two people's changes to one text, word by word. The comparison is node-diff3's.

import { diff3Merge, diffComm } from "node-diff3";

const MAX_UNITS = 20_000; // UTF-16 code units: the 10,000 characters that a comment may have
// node-diff3 compares each word with all equal words of the other side, and follows a chain each time. It took a minute
// for 5,000 equal words on both sides. A hundred million of these steps took 50 ms. English texts of 10,000 characters
// that differ at both ends need fewer steps. Texts that need more are compared by sentences; if that needs more too,
// they are not compared.
const MAX_STEPS = 100_000_000;

// A piece is a word with the space after it, or a line break with the indentation after it. In scripts without spaces
// between words, each character is a word.
const SPACELESS =
  "[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}]\\p{M}*";
const WORD = new RegExp(
  `\\n\\s*|(?:${SPACELESS}|(?:(?!${SPACELESS})\\S)+)[^\\S\\n]*|[^\\S\\n]+`,
  "gu",
);
const SENTENCE_END = /[.!?…。！？]["'’”»)\]]*\s*$/;

/**
 * One text with both changes to `base`; null if the changes touch each other, or if no text would be left.
 * @param {string} base
 * @param {string} mine
 * @param {string} theirs
 */
export function mergeProse(base, mine, theirs) {
  const [a, o, b] = [mine, base, theirs].map(unified);
  if (a === b || o === b) return a;
  if (o === a) return b;
  const sides = cut([a, o, b]);
  if (sides.steps > MAX_STEPS) return null;
  const [mineCut, baseCut, theirsCut] = sides.middles;
  const regions = diff3Merge(mineCut, baseCut, theirsCut);
  if (regions.some((region) => region.conflict)) return null;
  const merged = joined([
    ...sides.head,
    ...regions.flatMap((region) => region.ok ?? []),
    ...sides.tail,
  ]);
  return merged.trim() === "" ? null : merged;
}

/**
 * `theirs` in pieces {text, changed}. A changed piece without text marks a deletion.
 * @param {string} base
 * @param {string} theirs
 */
export function changes(base, theirs) {
  const { head, middles, tail, steps } = cut([unified(base), unified(theirs)]);
  const [before, now] = middles;
  /** @type {{ common?: string[], buffer2?: string[] }[]} */
  const compared = steps > MAX_STEPS ? [{ buffer2: now }] : diffComm(before, now);
  const regions = [{ common: head }, ...compared, { common: tail }];
  const words = withoutAddedSpaces([...head, ...middles[1], ...tail]);
  const pieces = regions.map((region) => ({
    text: words.splice(0, (region.common ?? region.buffer2 ?? []).length).join(""),
    changed: region.common === undefined,
  }));
  return pieces.filter((piece) => piece.changed || piece.text !== "");
}

/**
 * The text with the line breaks of a textarea. Other programs may have sent CR or CRLF.
 * @param {string} text
 */
const unified = (text) => text.replace(/\r\n?/g, "\n");

// -- cut into words, or into sentences if words need too many steps

/** @typedef {string[]} Pieces */

/** @param {string[]} texts */
function cut(texts) {
  const isTooLong = texts.some((text) => text.length > MAX_UNITS);
  const fine = isTooLong ? null : trimmed(texts.map(words));
  return fine === null || fine.steps > MAX_STEPS ? trimmed(texts.map(sentences)) : fine;
}

/**
 * The last word of a line gets one more space. So it equals the same word in the middle of a line, and text that is
 * added to the end of the line does not change the words before it.
 * @param {string} text
 */
function words(text) {
  const found = text.match(WORD) ?? [];
  return found.map((word, at) => (endsLine(found, at) ? `${word} ` : word));
}

/** @param {string} text */
function sentences(text) {
  const all = [""];
  for (const word of words(text)) {
    if (isBreak(word)) all.push(word, "");
    else all[all.length - 1] += word;
    if (SENTENCE_END.test(word)) all.push("");
  }
  return all.filter((sentence) => sentence !== "");
}

/**
 * The pieces without the space that `words` adds.
 * @param {Pieces} pieces
 */
function withoutAddedSpaces(pieces) {
  return pieces.map((piece, at) => (endsLine(pieces, at) ? piece.slice(0, -1) : piece));
}

/** @param {Pieces} pieces */
const joined = (pieces) => withoutAddedSpaces(pieces).join("");
/** @param {string} piece */
const isBreak = (piece) => piece.startsWith("\n");
/**
 * @param {Pieces} pieces
 * @param {number} at
 */
const endsLine = (pieces, at) =>
  !isBreak(pieces[at]) && (at + 1 === pieces.length || isBreak(pieces[at + 1]));

// -- the equal pieces at both ends are not compared

/** @param {Pieces[]} sides */
function trimmed(sides) {
  const minLength = Math.min(...sides.map((side) => side.length));
  /** @param {number} at */
  const agree = (at) => sides.every((side) => side.at(at) === sides[0].at(at));
  let first = 0;
  while (first < minLength && agree(first)) first += 1;
  let last = 0;
  while (last < minLength - first && agree(-1 - last)) last += 1;
  const middles = sides.map((side) => side.slice(first, side.length - last));
  const tail = sides[0].slice(sides[0].length - last);
  return { head: sides[0].slice(0, first), middles, tail, steps: stepsOf(middles) };
}

/**
 * The steps of all comparisons: one for two texts, two for three texts (each with the middle one).
 * @param {Pieces[]} sides
 */
function stepsOf(sides) {
  const [one, other, third] = sides;
  return stepsOfTwo(one, other) + (third ? stepsOfTwo(other, third) : 0);
}

/**
 * @param {Pieces} one
 * @param {Pieces} other
 */
function stepsOfTwo(one, other) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const piece of one) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const pairs = other.reduce((sum, piece) => sum + (counts.get(piece) ?? 0), 0);
  return pairs * Math.min(one.length, other.length);
}
