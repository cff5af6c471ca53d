/**
 * The views of some models, in order, as the children of `el`. An element that keeps its place is not moved. A moved
 * element loses the focus, and gets it back.
 */
export class ViewList {
  #el;
  #make;
  #takeFocus;
  /** @type {Map<any, any>} */
  #views = new Map(); // by their models

  /** `make` (model) returns a view. `takeFocus` () runs when the element with the focus has been removed. */
  constructor(el, make, takeFocus) {
    this.#el = el;
    this.#make = make;
    this.#takeFocus = takeFocus;
  }

  /** Show these models. Returns their views. */
  show(models) {
    const focused = /** @type {HTMLElement} */ (document.activeElement);
    const hadFocus = this.#el.contains(focused);
    for (const [model, view] of this.#views) {
      if (!models.includes(model)) this.#remove(view);
    }
    const views = models.map((model) => this.#viewOf(model));
    for (const [index, { el }] of views.entries()) {
      const there = this.#el.children[index] ?? null;
      if (there !== el) this.#el.insertBefore(el, there);
    }
    if (hadFocus && this.#el.contains(focused)) focused.focus({ preventScroll: true });
    else if (hadFocus) this.#takeFocus();
    return views;
  }

  #viewOf(model) {
    if (!this.#views.has(model)) this.#views.set(model, this.#make(model));
    return this.#views.get(model);
  }

  #remove(view) {
    this.#views.delete(view.model);
    view.remove();
  }
}
