import { ANNOUNCEMENT } from "../core/events.js";
import { fromTemplate } from "../core/template.js";

// The parts of the app (app.js) that views use.
const PARTS = ["bus", "account", "drafts", "outbox", "presence", "likes"];

/**
 * A view of one component of the page. The component's elements have the classes `{component}__{name}`. A view has the
 * parts of the app that are among its options, and `parts` for the views that it makes. Without the option `el`, its
 * element is made from the component's template. To be extended, with
 *
 *   component  its name in these classes: "bell"
 *   template   the name of its template, if that is another one
 */
export const ComponentView = /** @type {ViewWith<Parley.Parts>} */ (Backbone.View).extend({
  component: "",
  template: "",

  preinitialize(options = {}) {
    this.parts = _.pick(options, PARTS);
    Object.assign(this, this.parts);
  },

  _createElement() {
    return fromTemplate(this.template || this.component);
  },

  /**
   * The first element with this name.
   * @param {string} name
   */
  part(name) {
    return this.el.querySelector(`.${this.component}__${name}`);
  },

  /** Show the parts of this state, and hide those of others. `data-only="one other"` lists the states of a part. */
  showParts(state) {
    for (const part of this.el.querySelectorAll("[data-only]")) {
      part.hidden = !part.dataset.only?.split(" ").includes(state);
    }
  },

  showState(state) {
    this.el.dataset.state = state;
    this.showParts(state);
  },

  /** Show the part for guests or the part for users. */
  showForAccount() {
    const isGuest = !this.account.isSignedIn();
    this.part("guest").hidden = !isGuest;
    this.part("person").hidden = isGuest;
    return isGuest;
  },

  /** Have screen readers say this sentence. */
  announce(sentence) {
    this.bus.trigger(ANNOUNCEMENT, sentence);
  },

  /** The focused element was removed, so the focus moves to the top of the component. */
  focusHeading() {
    this.part("heading").focus({ preventScroll: true });
  },

  /**
   * Show this message in the component's element `problem`. If the message is "", hide that element.
   * @param {string} message
   */
  showProblem(message) {
    this.part("problem").textContent = message;
    this.part("problem").hidden = message === "";
  },

  /**
   * Call `act` (). If it fails, show the problem. Returns the problem, or null.
   * @param {() => Promise<unknown>} act
   */
  async attempt(act) {
    try {
      await act();
      this.showProblem("");
      return null;
    } catch (problem) {
      this.showProblem(problem.message);
      return problem;
    }
  },

  /** Load the page before the loaded part of this collection, and announce that. `button` was pressed. */
  async loadPageBefore(collection, button, sentence) {
    button.disabled = true;
    const problem = await this.attempt(() => collection.loadEarlier());
    button.disabled = false;
    if (!problem) this.announce(sentence);
  },
});
