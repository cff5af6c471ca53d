/** Of the parts that are there only in some states (`data-only="one other"`), show those of this one. */
export function showParts(el, state) {
  for (const part of el.querySelectorAll("[data-only]")) {
    part.hidden = !part.dataset.only.split(" ").includes(state);
  }
}
