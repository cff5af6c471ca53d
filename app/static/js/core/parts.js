/** Show the parts of this state, and hide those of other states. `data-only="one other"` lists the states of a part. */
export function showParts(el, state) {
  for (const part of el.querySelectorAll("[data-only]")) {
    part.hidden = !part.dataset.only.split(" ").includes(state);
  }
}
