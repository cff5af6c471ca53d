import { ENTRY_CLOSED, ENTRY_WANTED } from "./events.js";

/** Where a new comment is written. A guest may write, too: it is posted once they have signed in. */
export const ComposerView = Backbone.View.extend({
  events: {
    submit: "submit",
    keydown: "key",
    "click .composer__sign-in": "askSignIn",
    "click .composer__sign-up": "askSignUp",
  },

  initialize({ bus, account }) {
    this.bus = bus;
    this.account = account;
    this.waiting = false;
    this.listenTo(account, "change:id", this.render);
    this.listenTo(bus, ENTRY_CLOSED, this.entered);
    this.render();
  },

  render() {
    const guest = !this.account.isSignedIn();
    this.el.querySelector(".composer__guest").hidden = !guest;
    this.el.querySelector(".composer__person").hidden = guest;
    this.el.querySelector(".composer__name").textContent = this.account.get("username") ?? "";
    this.el.querySelector(".composer__post").textContent = guest
      ? "Sign in and post"
      : "Post comment";
  },

  field() {
    return this.el.elements.body;
  },

  submit(event) {
    event?.preventDefault();
    if (this.field().value.trim() === "") return this.field().focus();
    if (this.account.isSignedIn()) this.post();
    else this.wait();
  },

  post() {
    this.collection.compose(this.field().value, this.account);
    this.field().value = "";
    this.field().focus({ preventScroll: true });
  },

  wait() {
    this.waiting = true;
    this.bus.trigger(ENTRY_WANTED, "signin");
  },

  entered() {
    const post = this.waiting && this.account.isSignedIn();
    this.waiting = false;
    if (post) this.submit();
  },

  askSignIn() {
    this.bus.trigger(ENTRY_WANTED, "signin");
  },

  askSignUp() {
    this.bus.trigger(ENTRY_WANTED, "signup");
  },

  key(event) {
    if (event.originalEvent.isComposing) return; // the key is the input method's
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.submit(event);
  },
});
