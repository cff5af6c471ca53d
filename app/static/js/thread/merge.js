// Two people's changes to one piece of prose, word by word (node-diff3 does the comparing).

import { diff3Merge, diffComm } from "node-diff3";

const LONGEST = 20_000; // UTF-16 units: the 10,000 characters that a comment may have
// node-diff3 compares each word with all its like, and walks a chain each time: 5,000 times the same word on both sides
// took it a minute. A hundred million of these steps took 50 ms, and two sides of 10,000 characters of English that
// differ at both ends stay below that. What costs more is compared by sentences; what still does, not at all.
const DEAREST = 100_000_000;

// A word with the space after it, a break with what is indented after it. Where words are written without spaces
// between them, one character is a word.
const SPACELESS =
  "[\\p{sc=Han}\\p{sc=Hiragana}\\p{sc=Katakana}\\p{sc=Thai}\\p{sc=Lao}\\p{sc=Khmer}\\p{sc=Myanmar}]\\p{M}*";
const WORD = new RegExp(
  `\\n\\s*|(?:${SPACELESS}|(?:(?!${SPACELESS})\\S)+)[^\\S\\n]*|[^\\S\\n]+`,
  "gu",
);
const SENTENCE_END = /[.!?…。！？]["'’”»)\]]*\s*$/;

/**
 * Both changes to `base` in one text, or null where they touch, or would leave nothing.
 * @param {string} base
 * @param {string} mine
 * @param {string} theirs
 */
export function mergeProse(base, mine, theirs) {
  const [a, o, b] = [mine, base, theirs].map(unified);
  if (a === b || o === b) return a;
  if (o === a) return b;
  const sides = cut([a, o, b]);
  if (sides.cost > DEAREST) return null;
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
 * `theirs` in pieces {text, changed}. A changed piece without text is where something was taken out.
 * @param {string} base
 * @param {string} theirs
 */
export function changes(base, theirs) {
  const { head, middles, tail, cost } = cut([unified(base), unified(theirs)]);
  const [before, now] = middles;
  /** @type {{ common?: string[], buffer2?: string[] }[]} */
  const compared = cost > DEAREST ? [{ buffer2: now }] : diffComm(before, now);
  const regions = [{ common: head }, ...compared, { common: tail }];
  const words = bare([...head, ...middles[1], ...tail]);
  const pieces = regions.map((region) => ({
    text: words.splice(0, (region.common ?? region.buffer2 ?? []).length).join(""),
    changed: region.common === undefined,
  }));
  return pieces.filter((piece) => piece.changed || piece.text !== "");
}

/**
 * Line breaks as a textarea has them. Other programs may have sent others.
 * @param {string} text
 */
const unified = (text) => text.replace(/\r\n?/g, "\n");

// -- into words, or where that costs too much into sentences

/** @typedef {string[]} Pieces */

/** @param {string[]} texts */
function cut(texts) {
  const isTooLong = texts.some((text) => text.length > LONGEST);
  const fine = isTooLong ? null : trimmed(texts.map(words));
  return fine === null || fine.cost > DEAREST ? trimmed(texts.map(sentences)) : fine;
}

/**
 * The last word of a line gets one space more. So it is the same word when another comes after it, and to go on
 * with a line changes nothing that was there.
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
 * The pieces without that one space more.
 * @param {Pieces} pieces
 */
function bare(pieces) {
  return pieces.map((piece, at) => (endsLine(pieces, at) ? piece.slice(0, -1) : piece));
}

/** @param {Pieces} pieces */
const joined = (pieces) => bare(pieces).join("");
/** @param {string} piece */
const isBreak = (piece) => piece.startsWith("\n");
/**
 * @param {Pieces} pieces
 * @param {number} at
 */
const endsLine = (pieces, at) =>
  !isBreak(pieces[at]) && (at + 1 === pieces.length || isBreak(pieces[at + 1]));

// -- what all have in common at both ends need not be compared

/** @param {Pieces[]} sides */
function trimmed(sides) {
  const shortest = Math.min(...sides.map((side) => side.length));
  /** @param {number} at */
  const agree = (at) => sides.every((side) => side.at(at) === sides[0].at(at));
  let first = 0;
  while (first < shortest && agree(first)) first += 1;
  let last = 0;
  while (last < shortest - first && agree(-1 - last)) last += 1;
  const middles = sides.map((side) => side.slice(first, side.length - last));
  const tail = sides[0].slice(sides[0].length - last);
  return { head: sides[0].slice(0, first), middles, tail, cost: costOf(middles) };
}

/**
 * Of all comparisons that will be made: of two texts one, of three two, each with the middle one.
 * @param {Pieces[]} sides
 */
function costOf(sides) {
  const [one, other, third] = sides;
  return costOfTwo(one, other) + (third ? costOfTwo(other, third) : 0);
}

/**
 * @param {Pieces} one
 * @param {Pieces} other
 */
function costOfTwo(one, other) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const piece of one) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  const pairs = other.reduce((sum, piece) => sum + (counts.get(piece) ?? 0), 0);
  return pairs * Math.min(one.length, other.length);
}
