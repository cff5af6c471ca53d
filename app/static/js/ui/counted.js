/**
 * A number with its noun: "1 comment", "2 comments".
 * @param {number} n
 * @param {string} noun in the singular
 */
export const counted = (n, noun) => `${n} ${n === 1 ? noun : `${noun}s`}`;
