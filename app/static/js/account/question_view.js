import { ComponentView } from "../ui/component_view.js";
import { isEscape } from "../ui/keys.js";

/** @typedef {{ button: PageElement, act: () => unknown }} Fields */

/**
 * A question before something that cannot be undone. While it is shown, it takes the place of the button that asks it.
 * Options: this `button`, and `act` (), which runs if the answer is yes.
 */
export const QuestionView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "question",
  events: {
    "click .question__yes": "agree",
    "click .question__no": "close",
    keydown: "onKey",
  },

  initialize({ button, act }) {
    Object.assign(this, { button, act });
  },

  /** Ask this question. The focus is on "no", so a second press of Enter changes nothing. */
  ask(words) {
    this.part("words").textContent = words;
    this.show(true);
    this.part("no").focus();
  },

  agree() {
    this.close();
    this.act();
  },

  close() {
    const hadFocus = this.el.contains(document.activeElement);
    this.show(false);
    if (hadFocus) this.button.focus();
  },

  show(isShown) {
    this.el.hidden = !isShown;
    this.button.hidden = isShown;
  },

  onKey(event) {
    if (isEscape(event)) this.close();
  },
});
