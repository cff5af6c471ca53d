import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";
import { QuestionView } from "./question_view.js";

const ADDRESS = "/api/account/atom";

/** @typedef {{ question: InstanceType<typeof QuestionView> }} Fields */

/** The address of the account's own Atom feed, on the account page. It is read when the page opens. */
export const AtomView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "atom",
  events: { "click .atom__copy": "copy", "click .atom__replace": "ask" },

  initialize() {
    const [el, button] = [this.el.querySelector(".question"), this.part("replace")];
    this.question = new QuestionView({ el, button, act: () => this.replace() });
    this.listenTo(this.account, "change:id", this.refetch);
    this.refetch();
  },

  refetch() {
    this.question.close();
    this.show("");
    if (this.account.isSignedIn()) this.request("read");
  },

  // The response may arrive after another account has signed in. Returns whether this account's address is shown.
  async request(method) {
    const { id } = this.account;
    const problem = await this.attempt(async () => {
      const { url } = await this.account.request(method, ADDRESS);
      if (id === this.account.id) this.show(url);
    });
    return !problem && id === this.account.id;
  },

  field() {
    /** @type {HTMLInputElement} */
    const field = this.el.querySelector("input");
    return field;
  },

  show(url) {
    this.field().value = url;
    this.part("copy").textContent = "Copy";
  },

  copy({ delegateTarget: button }) {
    copyByButton(this.field().value, button, this.bus);
  },

  ask() {
    this.question.ask(
      "Replace the address? The old one stops working at once, in every feed reader.",
    );
  },

  async replace() {
    if (await this.request("create")) this.announce("The address has been replaced.");
  },
});
