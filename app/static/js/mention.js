// Completing a name after an `@`, as functions of a text: which name is being typed, and what it becomes. Whether
// an `@` begins a mention is decided by the server when it renders the text; this rule only offers names.

const MAX_LENGTH = 30; // characters of a name, as `LONGEST_USERNAME` on the server
const RECENT = 3 * MAX_LENGTH; // characters before the caret that are looked at
const SIGNS = "@＠﹫";
// Scripts whose words need no space between them, and those that write a preposition and its word in one.
const JOINING = ["Han", "Hira", "Kana", "Bopo", "Thai", "Laoo", "Khmr", "Mymr", "Hebr", "Arab"];
const JOINS = JOINING.map((script) => `\\p{Script=${script}}`).join("");
// An `@` that is no part of an address, and behind it the beginning of a name, which may have spaces in it.
const TYPED = new RegExp(
  `(?:^|[${JOINS}]|[^\\p{L}\\p{N}\\p{M}_${SIGNS}/.])_*[${SIGNS}]` +
    "([\\p{L}\\p{N}_](?:[\\p{L}\\p{M}\\p{N}_.'’ -]*[\\p{L}\\p{M}\\p{N}_])?)$",
  "u",
);

/** A name in the form in which names are compared: nearly that of the server, which has the last word. */
export const keyOf = (name) => name.normalize("NFKC").toLowerCase().replaceAll("’", "'");

/** What is being typed before the caret: {start, prefix}, where `start` is the place of the `@`; null if it is no name. */
export function typedAt(text, caret) {
  const line = text.slice(Math.max(0, text.lastIndexOf("\n", caret - 1) + 1), caret);
  const found = TYPED.exec(line.slice(-RECENT));
  if (!found || Array.from(found[1]).length > MAX_LENGTH) return null;
  return { start: caret - found[1].length - 1, prefix: found[1] };
}

/** At most `most` of these people, {id, username}, whose names begin so: each once, in their order. */
export function matching(people, prefix, most) {
  const key = keyOf(prefix);
  const found = new Map();
  for (const { id, username } of people) {
    if (found.size === most) break;
    if (keyOf(username).startsWith(key)) found.set(id, { id, username });
  }
  return [...found.values()].slice(0, most);
}

/** What stands in the text in place of what was typed. */
export const written = (username) => `@${username} `;
