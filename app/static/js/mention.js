// Completing a name after an `@`, as functions of a text: which name is being typed, and what it becomes.

const MAX_LENGTH = 30; // characters of a name, as `LONGEST_USERNAME` on the server
// An `@` that does not stand in an address of mail, and behind it the beginning of a name, which may have spaces in it.
const TYPED =
  /(?<![A-Za-z0-9.+@＠-])[@＠]([\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.'’ -]*[\p{L}\p{M}\p{N}_])?)$/u;

/** A name in the form in which names are compared: nearly that of the server, which has the last word. */
export const keyOf = (name) => name.normalize("NFKC").toLowerCase();

/** What is being typed before the caret: {start, prefix}, where `start` is the place of the `@`; null if it is no name. */
export function typedAt(text, caret) {
  const line = text.slice(Math.max(0, text.lastIndexOf("\n", caret - 1) + 1), caret);
  const recent = line.slice(-2 * MAX_LENGTH);
  const found = TYPED.exec(recent);
  if (!found || Array.from(found[1]).length > MAX_LENGTH) return null;
  return { start: caret - found[0].length, prefix: found[1] };
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
