import { CONFLICT_TEXT_CHANGED } from "../core/events.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { changes, mergeProse } from "./merge.js";

const SETTLING_MS = 300; // after a key, until it is looked at again whether both texts can be had
const MOST_OWN = 20; // the oldest go; should one of them come back after all, it is shown as if it were another's
const MINE = "Overwrite with mine";

/** @typedef {{ seq: number, body: string }} Version */

/**
 * @typedef {{
 *   el: HTMLFormElement,
 *   base: Version,
 *   latest: Version,
 *   own: string[],
 *   steps: { text: string, base: Version }[],
 *   undone: { mine: string, theirs: string, text: string } | null,
 *   shownAt: number,
 *   timer: number,
 * }} Fields
 */

/**
 * What to do about a comment that has changed while somebody writes on it. `el` is the editor's form.
 *
 *   base      {seq, body} that the text in the field is written on
 *   latest    {seq, body} that the comment has now
 *
 * While these two differ, the latest text is shown, with its changes since `base` marked. It never comes into the field by
 * itself. "Merge both" merges it into the text and makes `latest` the new base. "Undo merge" undoes this, step by step.
 */
export const ConflictView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .editor__merge": "merge",
    "click .editor__mine": "goBack",
    input: "settle",
  },

  initialize({ base }) {
    this.base = base;
    this.latest = base;
    this.own = [this.field().value]; // what else the person has written, and may meet again
    this.steps = []; // states before each "Merge both": {text, base}
    this.undone = null; // the last merge that "Undo merge" undid: {mine, theirs, text}
    this.shownAt = Number.NEGATIVE_INFINITY;
    this.timer = 0;
  },

  field() {
    return this.el.elements.body;
  },

  part(name) {
    return this.el.querySelector(`.editor__${name}`);
  },

  /** This text may come back to the person who has sent it. */
  expect(text) {
    if (text !== undefined && !this.own.includes(text))
      this.own = [...this.own, text].slice(-MOST_OWN);
  },

  /** The comment has this state now. */
  meet(latest) {
    this.latest = latest;
    // Nothing to tell apart: whoever saves now replaces what they know.
    const known = [this.base.body, this.field().value, ...this.own];
    if (known.includes(latest.body)) this.base = latest;
    else this.shownAt = performance.now();
    this.render();
  },

  isOpen() {
    return this.base !== this.latest;
  },

  /** Has it only just been shown, so that a key pressed now was not meant as an answer? */
  isUnread(within) {
    return this.isOpen() && performance.now() - this.shownAt < within;
  },

  close() {
    clearTimeout(this.timer);
    this.part("conflict").hidden = true;
    this.part("merge").hidden = true;
    this.part("mine").hidden = true;
    this.stopListening();
    this.undelegateEvents();
  },

  // -- what there is to see

  // It makes the editor longer, above what somebody may be reading.
  render() {
    const list = this.el.closest(".thread__list");
    if (list) keepScrollPosition(list, () => this.draw());
    else this.draw();
  },

  draw() {
    const merged = this.steps.at(-1);
    const since = this.isOpen() ? this.base : merged?.base;
    this.part("conflict").hidden = since === undefined;
    this.part("changed").hidden = !this.isOpen();
    this.part("merged").hidden = this.isOpen();
    this.part("theirs").replaceChildren(...(since ? marked(since.body, this.latest.body) : []));
    this.part("mine").hidden = merged === undefined;
    this.part("save").textContent = this.isOpen() ? MINE : "Save";
    this.offer();
  },

  offer() {
    const isUntouched = this.field().value === this.base.body;
    this.part("merge").hidden = !this.isOpen() || this.both() === null;
    this.part("merge").textContent = isUntouched ? "Use new version" : "Merge both";
  },

  // Comparing costs something, and keys come fast.
  settle() {
    clearTimeout(this.timer);
    if (this.isOpen()) this.timer = setTimeout(() => this.offer(), SETTLING_MS);
  },

  // -- both

  both() {
    const [mine, theirs] = [this.field().value, this.latest.body];
    const isUndone = this.undone?.mine === mine && this.undone?.theirs === theirs;
    return isUndone ? this.undone?.text : mergeProse(this.base.body, mine, theirs);
  },

  merge() {
    const text = this.both();
    if (text === null) return this.offer(); // a key came in between
    this.steps.push({ text: this.field().value, base: this.base });
    this.base = this.latest;
    this.write(text);
  },

  goBack() {
    const step = this.steps.pop();
    if (!step) return;
    const { text, base } = step;
    this.undone = { mine: text, theirs: this.latest.body, text: this.field().value };
    this.base = base.body === this.latest.body ? this.latest : base;
    this.write(text);
  },

  write(text) {
    this.field().value = text;
    this.render();
    this.field().focus();
    this.trigger(CONFLICT_TEXT_CHANGED);
  },
});

// Nothing but text comes in: what others wrote is never markup.
function marked(before, now) {
  return changes(before, now).map(({ text, changed }) => {
    if (!changed) return document.createTextNode(text);
    const mark = document.createElement("mark");
    mark.textContent = text;
    mark.classList.toggle("editor__cut", text === "");
    return mark;
  });
}
