import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";

const ADDRESS = "/api/account/atom";

/** The address of the account's own Atom feed, on the account page. It is read when the page opens. */
export const AtomView = ComponentView.extend({
  component: "atom",
  events: { "click .atom__copy": "copy", "click .atom__replace": "replace" },

  initialize() {
    this.listenTo(this.account, "change:id", this.refetch);
    this.refetch();
  },

  refetch() {
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

  async replace() {
    if (await this.request("create")) this.announce("The address has been replaced.");
  },
});
