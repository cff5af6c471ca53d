/** A sequence of pseudo-random numbers that depends on its seed only: `chance(n)` is one of 0 … n - 1. */
export function chanceFrom(seed) {
  let state = seed;
  return (n) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % n;
  };
}

/** Where random histories begin. `SEED=7 npm test` chooses another place than the fixed one. */
export const SEED = Number(process.env.SEED ?? 1);
