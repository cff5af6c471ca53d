/** A sequence of pseudo-random numbers that depends on its seed only: `chance(n)` is one of 0 … n - 1. */
export function chanceFrom(seed) {
  let state = seed;
  return (n) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % n;
  };
}

/** The seed of random histories. `SEED=7 npm test` replaces the fixed one. */
export const SEED = Number(process.env.SEED ?? 1);
