import { fromTemplate } from "../core/template.js";
import { isEscape } from "./keys.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1 };
const ENDS = { Home: 0, End: -1 };

/**
 * A menu that opens beside the button that was pressed (WAI-ARIA Authoring Practices, "Menu Button"). The arrow keys,
 * Home and End move the focus between its items. Escape closes it and gives the focus back to the button. A press or
 * the focus outside closes it, too.
 */
export class Menu {
  /** @param {string} template the name of the template of the menu's element */
  constructor(template) {
    this.el = fromTemplate(template);
    this.button = /** @type {any} */ (null); // that opened it last
    this.onPress = ({ target }) => this.closeIfOutside(target);
    this.el.addEventListener("keydown", (event) => this.handleKey(event));
    this.el.addEventListener("focusout", ({ relatedTarget }) => this.closeIfOutside(relatedTarget));
  }

  get isOpen() {
    return this.el.isConnected;
  }

  /** The items that are shown. */
  items() {
    const items = Array.from(this.el.querySelectorAll("[role^=menuitem]"));
    return items.filter((item) => !item.hidden);
  }

  /** Open it beside `button`. The caller moves the focus to an item. */
  open(button) {
    this.button = button;
    button.setAttribute("aria-expanded", "true");
    button.after(this.el);
    document.addEventListener("pointerdown", this.onPress);
  }

  close() {
    document.removeEventListener("pointerdown", this.onPress);
    this.button?.setAttribute("aria-expanded", "false");
    this.el.remove();
  }

  closeAndFocusButton() {
    this.close();
    this.button?.focus({ preventScroll: true });
  }

  // The element is null if the window lost the focus. Then the menu stays open.
  closeIfOutside(element) {
    if (element && !this.el.contains(element) && !this.button?.contains(element)) this.close();
  }

  handleKey(event) {
    const { key } = event;
    const items = this.items();
    const at = items.indexOf(/** @type {any} */ (document.activeElement));
    const to = key in STEPS ? (at + STEPS[key]) % items.length : ENDS[key];
    if (to !== undefined) items.at(to)?.focus();
    else if (isEscape(event)) this.closeAndFocusButton();
    else return;
    event.preventDefault();
  }
}
