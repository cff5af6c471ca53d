import { ComponentView } from "../ui/component_view.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { changes, mergeProse } from "./merge.js";

const DEBOUNCE_MS = 300; // from the last key until the texts are compared again
const MAX_OWN = 20; // texts; if an older one comes back, it is shown like another person's text
const OVERWRITE = "Overwrite with mine";

/** @typedef {{ seq: number, body: string }} Version */

/**
 * @typedef {{
 *   el: HTMLFormElement,
 *   base: Version,
 *   latest: Version,
 *   own: string[],
 *   steps: { text: string, base: Version }[],
 *   changed: () => void,
 * }} Fields
 */

/**
 * Shows that a comment has changed while its author edits it, and offers ways to resolve the conflict. `el` is the
 * editor's form.
 *
 *   base      {seq, body}: the version that the text in the field changes
 *   latest    {seq, body}: the newest version of the comment
 *
 * While these two differ, the latest text is shown, with its changes since `base` marked. It is never inserted into the
 * field automatically. "Merge both" merges it into the text and makes `latest` the new base. "Undo merge" undoes this,
 * step by step.
 */
export const ConflictView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "editor",
  events: {
    "click .editor__merge": "merge",
    "click .editor__mine": "undoMerge",
    input: "scheduleOffer",
  },

  undone: /** @type {{ mine: string, theirs: string, text: string } | null} */ (null), // the last undone merge
  shownAt: Number.NEGATIVE_INFINITY,
  timer: 0,

  /** `changed` () is called when this view has replaced the text of the editor. */
  initialize({ base, changed }) {
    this.changed = changed;
    this.base = base;
    this.latest = base;
    this.own = [this.field().value]; // this person's other texts, which may come back as the latest version
    this.steps = []; // states before each "Merge both": {text, base}
  },

  field() {
    return this.el.elements.body;
  },

  /** This person has also sent this text. If it comes back, it is no conflict. */
  addOwn(text) {
    if (text !== undefined && !this.own.includes(text))
      this.own = [...this.own, text].slice(-MAX_OWN);
  },

  setLatest(latest) {
    this.latest = latest;
    // If the person knows this text, there is no conflict: saving replaces it knowingly.
    const known = [this.base.body, this.field().value, ...this.own];
    if (known.includes(latest.body)) this.base = latest;
    else this.shownAt = performance.now();
    this.render();
  },

  isOpen() {
    return this.base !== this.latest;
  },

  /** Whether the conflict appeared less than `within` milliseconds ago, so that the person has not read it. */
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

  // -- rendering

  // The conflict makes the editor higher, above comments that a person may be reading.
  render() {
    const list = this.el.closest(".thread__list");
    if (list) keepScrollPosition(list, () => this.renderParts());
    else this.renderParts();
  },

  renderParts() {
    const merged = this.steps.at(-1);
    const since = this.isOpen() ? this.base : merged?.base;
    this.part("conflict").hidden = since === undefined;
    this.part("changed").hidden = !this.isOpen();
    this.part("merged").hidden = this.isOpen();
    this.part("theirs").replaceChildren(
      ...(since ? markChanges(since.body, this.latest.body) : []),
    );
    this.part("mine").hidden = merged === undefined;
    this.part("save").textContent = this.isOpen() ? OVERWRITE : "Save";
    this.offerMerge();
  },

  offerMerge() {
    const isUntouched = this.field().value === this.base.body;
    this.part("merge").hidden = !this.isOpen() || this.both() === null;
    this.part("merge").textContent = isUntouched ? "Use new version" : "Merge both";
  },

  // A comparison takes time, and key presses follow quickly.
  scheduleOffer() {
    clearTimeout(this.timer);
    if (this.isOpen()) this.timer = setTimeout(() => this.offerMerge(), DEBOUNCE_MS);
  },

  // -- merging

  both() {
    const [mine, theirs] = [this.field().value, this.latest.body];
    const isUndone = this.undone?.mine === mine && this.undone?.theirs === theirs;
    return isUndone ? this.undone?.text : mergeProse(this.base.body, mine, theirs);
  },

  merge() {
    const text = this.both();
    if (text === null) return this.offerMerge(); // the text was edited since the merge was offered
    this.steps.push({ text: this.field().value, base: this.base });
    this.base = this.latest;
    this.replaceText(text);
  },

  undoMerge() {
    const step = this.steps.pop();
    if (!step) return;
    const { text, base } = step;
    this.undone = { mine: text, theirs: this.latest.body, text: this.field().value };
    this.base = base.body === this.latest.body ? this.latest : base;
    this.replaceText(text);
  },

  replaceText(text) {
    this.field().value = text;
    this.render();
    this.field().focus();
    this.changed();
  },
});

// Other people's text is inserted as text, never as markup.
function markChanges(before, now) {
  return changes(before, now).map(({ text, changed }) => {
    if (!changed) return document.createTextNode(text);
    const mark = document.createElement("mark");
    mark.textContent = text;
    mark.classList.toggle("editor__cut", text === "");
    return mark;
  });
}
