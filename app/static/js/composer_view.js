import { ENTRY_CLOSED, ENTRY_WANTED } from "./events.js";

const FULL = "Too many unsent comments. Try again when you're back online; your text is saved.";

/**
 * Where a new comment is written. A guest may write, too: it is posted once they have signed in. What is typed is kept
 * (drafts.js), and what is seen in the field stays there, whoever comes or goes, unless they sign out on purpose.
 */
export const ComposerView = Backbone.View.extend({
  events: {
    submit: "submit",
    input: "typed",
    keydown: "key",
    "click .composer__sign-in": "askSignIn",
    "click .composer__sign-up": "askSignUp",
  },

  initialize({ bus, account, drafts = null, presence = null }) {
    this.bus = bus;
    this.account = account;
    this.drafts = drafts;
    this.presence = presence;
    this.waiting = false;
    this.writer = null; // who was signed in last while this was written
    this.listenTo(account, "change:id", this.change);
    if (drafts) this.listenTo(drafts, "erased", this.empty);
    this.listenTo(bus, ENTRY_CLOSED, this.entered);
    const isTyped = this.field().value !== ""; // before this script was there
    this.change();
    if (isTyped) this.keep();
  },

  // What its draft is kept under.
  place() {
    return this.collection.topic;
  },

  // Somebody else is writing now. Their draft is shown where there is room for it.
  change() {
    this.draft = this.drafts?.at(this.place());
    const { id = null } = this.account;
    if (id !== null && this.writer !== null && id !== this.writer) this.empty(); // what is there is another's
    this.writer = id ?? this.writer;
    if (this.field().value === "") this.field().value = this.draft?.read()?.body ?? "";
    this.render();
  },

  render() {
    const guest = !this.account.isSignedIn();
    this.el.querySelector(".composer__guest").hidden = !guest;
    this.el.querySelector(".composer__person").hidden = guest;
    this.el.querySelector(".composer__name").textContent = this.account.get("username") ?? "";
    this.el.querySelector(".composer__post").textContent = guest
      ? "Sign in to post"
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
    const comment = this.compose(this.field().value);
    if (comment === null) return this.complain(FULL);
    this.draft?.dropAfter(this.collection.outbox.kept());
    this.presence?.rest();
    this.empty();
    this.posted(comment);
  },

  compose(body) {
    return this.collection.compose(body, this.account);
  },

  posted() {
    this.field().focus({ preventScroll: true });
  },

  typed() {
    this.keep();
    if (this.field().value.trim() !== "") this.presence?.type();
  },

  keep() {
    this.field().setCustomValidity("");
    this.draft?.keep(this.field().value);
  },

  complain(message) {
    this.field().setCustomValidity(message);
    this.field().reportValidity();
  },

  empty() {
    this.field().value = "";
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
