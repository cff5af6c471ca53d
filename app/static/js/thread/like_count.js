// Has the number of likes that was last heard of a comment one's own in it? The number comes on the comment's topic and
// the like on its person's, the answer to a request by a third way, and each may be first. As functions, from one tally
// to the next:
//
//   id          the like's
//   contained   whether it has
//   marks       [{seq, liked}] what the server has said and the number has not shown yet: from that seq of the comment
//               on it has one's own in it, or has not
//
// So what is shown, the number less what it contains and with what is wanted, moves once for each click.

/** @typedef {Parley.Tally} Tally */

/**
 * All is level: the number has what the server has.
 * @param {string} id the like's
 * @param {boolean} liked
 * @returns {Tally}
 */
export const level = (id, liked) => ({ id, contained: liked, marks: [] });

/**
 * An answer: from `counted` on the number has it (`liked`), or has it no more.
 * @param {Tally} tally
 * @param {boolean} liked
 * @param {number} counted
 * @param {number} seq the comment's, as last heard
 */
export const mark = (tally, liked, counted, seq) =>
  reach({ ...tally, marks: _.sortBy([...tally.marks, { seq: counted, liked }], "seq") }, seq);

/**
 * The comment is heard at `seq`, with a number that has moved `by`.
 * @param {Tally} tally
 * @param {number} seq
 * @param {number} by
 * @param {boolean | null} asked what is being asked for
 */
export function hear(tally, seq, by, asked) {
  if (tally.marks.length > 0) return reach(tally, seq);
  // Without an answer it is a guess, on the side on which nothing jumps.
  const isIt = asked !== null && asked !== tally.contained && Math.sign(by) === (asked ? 1 : -1);
  return isIt ? { ...tally, contained: asked } : tally;
}

/**
 * @param {Tally} tally
 * @param {number} seq
 * @returns {Tally}
 */
function reach(tally, seq) {
  const [passed, marks] = _.partition(tally.marks, (one) => one.seq <= seq);
  return { ...tally, marks, contained: passed.at(-1)?.liked ?? tally.contained };
}
