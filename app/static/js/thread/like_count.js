// Does the number of likes that a comment shows already include this account's like? The number comes with the
// comment's topic, the like with the account's topic, and the response to the request comes separately. They arrive in
// any order.
//
//   id          of the like
//   contained   whether the number that was received last includes the like
//   marks       [{seq, liked}] from responses that are ahead of the number: from this seq of the comment on, the number
//               includes the like, or does not
//
// The page shows the received number, minus 1 if it includes the like, plus 1 if the person wants the like. So what a
// person sees changes once for each click. All functions are pure.

/** @typedef {Parley.LikeCount} LikeCount */

/**
 * The number and the server's like agree.
 * @param {string} id of the like
 * @param {boolean} liked
 * @returns {LikeCount}
 */
export const inAgreement = (id, liked) => ({ id, contained: liked, marks: [] });

/**
 * A response: from the comment's seq `counted` on, the number includes the like (`liked`), or no longer does.
 * @param {LikeCount} count
 * @param {boolean} liked
 * @param {number} counted
 * @param {number} seq of the comment, as it was received last
 */
export const afterResponse = (count, liked, counted, seq) =>
  applyMarks({ ...count, marks: _.sortBy([...count.marks, { seq: counted, liked }], "seq") }, seq);

/**
 * The comment was received at `seq`, and its number has changed by `difference`.
 * @param {LikeCount} count
 * @param {number} seq
 * @param {number} difference
 * @param {boolean | null} requested whether a request to like (true) or unlike (false) is on its way
 */
export function afterComment(count, seq, difference, requested) {
  if (count.marks.length > 0) return applyMarks(count, seq);
  // Without a response, this is a guess: if the number changed as requested, it includes the change. So the number that
  // people see does not jump.
  const isOurs =
    requested !== null &&
    requested !== count.contained &&
    Math.sign(difference) === (requested ? 1 : -1);
  return isOurs ? { ...count, contained: requested } : count;
}

/** @type {(count: LikeCount, seq: number) => LikeCount} */
function applyMarks(count, seq) {
  const [passed, marks] = _.partition(count.marks, (mark) => mark.seq <= seq);
  return { ...count, marks, contained: passed.at(-1)?.liked ?? count.contained };
}
