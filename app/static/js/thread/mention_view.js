import { Problem } from "../core/problem.js";
import { request } from "../core/sync.js";
import { ComponentView } from "../ui/component_view.js";
import { counted } from "../ui/counted.js";
import { isComposing } from "../ui/keys.js";
import { matching, typedAt, written } from "./mention.js";

const MAX_NAMES = 8;
const DEBOUNCE_MS = 150; // from the last key until the request
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

let listCount = 0; // for the ids of the lists

/**
 * @typedef {{
 *   el: HTMLTextAreaElement,
 *   list: HTMLUListElement,
 *   collection: Parley.Comments,
 * }} Fields
 */

/**
 * Completes names after an `@` in a field: first those of people who are in the conversation, then those that the
 * server knows. `el` is the `<textarea>`. The list below it is a listbox, whose active option the field names (WAI-ARIA
 * Authoring Practices, "Combobox"); the focus stays in the field.
 */
export const MentionView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: {
    input: "update",
    click: "update",
    keydown: "handleKey",
    blur: "close",
  },

  typed: /** @type {{ start: number, prefix: string } | null} */ (null),
  names: /** @type {Parley.Person[]} */ ([]), // that are offered
  active: 0,
  known: /** @type {Parley.Person[]} */ ([]), // the last response of the server
  unknownPrefix: /** @type {string | null} */ (null), // for which the server has no names, nor for a longer one
  timer: 0,
  version: 0, // of `typed`; a response to an older one is ignored

  initialize() {
    this.list = this.makeList();
  },

  makeList() {
    listCount += 1;
    const list = document.createElement("ul");
    Object.assign(list, { className: "mentions", id: `mentions-${listCount}`, hidden: true });
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", "People to mention");
    list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the field
    list.addEventListener("click", ({ target }) => this.choose(this.indexOf(target)));
    this.el.setAttribute("aria-autocomplete", "list");
    this.el.after(list);
    return list;
  },

  isOpen() {
    return !this.list.hidden;
  },

  // -- what is typed

  update(event) {
    const { value, selectionStart, selectionEnd, readOnly } = this.el;
    const isCaret = selectionStart === selectionEnd && !readOnly;
    const typed = isCaret ? typedAt(value, selectionStart) : null;
    const isSame = typed?.prefix === this.typed?.prefix && typed?.start === this.typed?.start;
    if (isSame || (event?.type === "click" && !this.isOpen())) return;
    this.typed = typed;
    clearTimeout(this.timer);
    this.version += 1;
    if (!typed) return this.close();
    this.offer();
    if (this.mayRequest()) this.timer = setTimeout(() => this.request(), DEBOUNCE_MS);
  },

  mayRequest() {
    const isUnknown =
      this.unknownPrefix !== null && this.typed?.prefix.startsWith(this.unknownPrefix);
    return this.account.isSignedIn() && !isUnknown;
  },

  // A late response is ignored: it is for an older prefix. Without a response, only people in the conversation are
  // offered.
  async request() {
    const { version } = this;
    const prefix = this.typed?.prefix ?? "";
    const place = this.collection.place;
    const url = `/api/users/?${new URLSearchParams({ prefix, ...place })}`;
    try {
      const { users } = await request("read", this.account, { url });
      if (version !== this.version) return;
      this.known = users;
      if (users.length === 0) this.unknownPrefix = prefix;
      this.offer();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
    }
  },

  people() {
    const authors = this.collection.map((comment) => {
      const { user_id: id, username } = comment.attributes;
      return { id, username };
    });
    return [...authors.reverse(), ...this.known].filter(({ id }) => id && id !== this.account.id);
  },

  // -- what is offered

  offer() {
    const wasOpen = this.isOpen();
    this.names = matching(this.people(), this.typed?.prefix ?? "", MAX_NAMES);
    this.active = 0;
    if (this.names.length === 0) return this.hide();
    this.list.replaceChildren(...this.names.map((name, index) => this.option(name, index)));
    this.list.hidden = false;
    this.el.setAttribute("aria-controls", this.list.id);
    this.markActive();
    if (wasOpen) return;
    const count = counted(this.names.length, "name");
    this.announce(`${count}. Use the arrow keys to choose, Enter to insert.`);
  },

  option({ username }, index) {
    const option = document.createElement("li");
    option.className = "mentions__name";
    option.id = `${this.list.id}-${index}`;
    option.setAttribute("role", "option");
    const name = document.createElement("bdi");
    name.textContent = username;
    option.append("@", name);
    return option;
  },

  markActive() {
    for (const [index, option] of Array.from(this.list.children).entries()) {
      option.setAttribute("aria-selected", `${index === this.active}`);
    }
    const active = this.list.children[this.active];
    this.el.setAttribute("aria-activedescendant", active.id);
    if (this.list.scrollHeight > this.list.clientHeight)
      active.scrollIntoView({ block: "nearest" });
  },

  indexOf(element) {
    return Array.from(this.list.children).indexOf(element.closest(".mentions__name"));
  },

  // -- keys

  handleKey(event) {
    const { key, ctrlKey, metaKey, altKey } = event;
    if (!this.isOpen() || isComposing(event) || ctrlKey || metaKey || altKey) return;
    if (key in STEPS) this.step(STEPS[key]);
    else if (key === "Enter" || (key === "Tab" && !event.shiftKey)) this.choose(this.active);
    else if (key === "Escape") this.close();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the form does not handle this key, too
  },

  step(by) {
    this.active = (this.active + by + this.names.length) % this.names.length;
    this.markActive();
  },

  choose(index) {
    const name = this.names[index];
    if (!name || !this.typed) return;
    const { start } = this.typed;
    const text = written(name.username);
    this.close();
    this.el.setSelectionRange(start, this.el.selectionStart);
    // With this command, the browser can undo the insertion. It triggers "input", as typing does.
    if (document.execCommand("insertText", false, text)) return;
    this.el.setRangeText(text, this.el.selectionStart, this.el.selectionEnd, "end");
    this.el.dispatchEvent(new Event("input", { bubbles: true }));
  },

  hide() {
    this.list.hidden = true;
    this.el.removeAttribute("aria-activedescendant");
    this.el.removeAttribute("aria-controls");
  },

  // Nothing is offered again until something else is typed.
  close() {
    clearTimeout(this.timer);
    this.version += 1;
    this.hide();
  },

  /** The text in the field was replaced by a script: nothing is being typed. */
  reset() {
    this.typed = null;
    this.close();
  },

  remove() {
    this.close();
    this.list.remove();
    this.undelegateEvents();
    this.stopListening();
    return this;
  },
});
