import { AUTH_DIALOG_WANTED, DRAFT_DISCARDED, DRAFTS_ERASED } from "../core/events.js";
import { uuid } from "../core/uuid.js";
import { ComponentView } from "../ui/component_view.js";
import { isPostKey } from "../ui/keys.js";
import { BodyField } from "./body_field.js";
import { idOf } from "./form_id.js";
import { MentionView } from "./mention_view.js";

const OUTBOX_FULL =
  "Too many unsent comments. Try again when you're back online; your text is saved.";

/**
 * @typedef {{
 *   el: HTMLFormElement,
 *   collection: Parley.Comments,
 *   formId: string,
 *   body: import("./body_field.js").BodyField,
 *   mention: any,
 *   draft: Parley.Draft,
 * }} Fields
 */

/**
 * The form for a new comment. A guest may write, too; the comment is posted after they have signed in. The typed text
 * is stored as a draft (drafts.js). It stays in the field when the login changes, unless the person signs out here.
 *
 * The element is a form that works without this script (`app/comments/form.py`). The script takes over the text that
 * was typed before it ran. It also takes over the form's id, so that a text that the browser has posted is not posted
 * twice.
 */
export const ComposerView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "composer",
  events: {
    submit: "submit",
    input: "typed",
    keydown: "handleKey",
  },

  writer: /** @type {string | null} */ (null), // the last account that was signed in while this text was written

  initialize() {
    this.formId = this.el.elements.form_id?.value || uuid();
    const [problem, left] = [this.part("problem"), this.part("left")];
    this.body = new BodyField({ field: this.field(), problem, left });
    const { collection } = this;
    this.mention = new MentionView({ el: this.field(), collection, ...this.parts });
    this.listenTo(this.account, "change:id", this.changeWriter);
    this.listenTo(this.drafts, DRAFTS_ERASED, this.empty);
    this.listenTo(this.drafts, DRAFT_DISCARDED, this.emptyIfDiscarded);
    this.listenTo(collection.commentable, "change:locked", this.render);
    this.listenTo(this.account, "change:role", this.render);
    const isTyped = this.field().value !== ""; // before this script ran
    this.changeWriter();
    if (isTyped) this.takeOver();
  },

  // The place of its draft (drafts.js).
  place() {
    return this.collection.topic;
  },

  // Another account uses the page now. Its draft is shown if the field is empty.
  changeWriter() {
    const { id = null } = this.account;
    // While nobody is signed in, a text in the field still belongs to the person who typed it.
    const isLastWriters = id === null && this.writer !== null && this.field().value !== "";
    if (!isLastWriters) this.draft = this.drafts.at(this.place(), this.collection.topic);
    if (id !== null && this.writer !== null && id !== this.writer) this.empty(); // the text belongs to another account
    this.writer = id ?? this.writer;
    if (this.field().value === "") this.restore();
    this.render();
  },

  // The browser may have posted this text before the script ran, and this page may be the response.
  restore() {
    const draft = this.draft.read();
    if (!draft) return;
    const formId = draft.base?.form ?? this.formId;
    if (this.collection.get(idOf(formId, draft.body))) return this.draft.remove();
    this.formId = formId;
    this.show(draft.body);
    if (draft.closed) this.storeDraft();
  },

  // An older draft of this place that was not posted is kept until the field is empty again.
  takeOver() {
    this.draft.copyStored(this.field().value);
    this.draft.save(this.field().value, { form: this.formId });
  },

  show(text) {
    this.field().value = text;
    this.body.update();
    this.mention.reset();
  },

  render() {
    const guest = !this.account.isSignedIn();
    this.part("guest").hidden = !guest;
    this.part("person").hidden = guest;
    this.part("name").textContent = this.account.get("username") ?? "";
    this.part("post").textContent = guest ? "Sign in to post" : "Post comment";
    this.renderClosed();
  },

  isClosed() {
    return this.collection.isClosedTo(this.account);
  },

  // The typed text can still be read and copied.
  renderClosed() {
    const isClosed = this.isClosed();
    this.field().readOnly = isClosed;
    this.part("post").hidden = isClosed;
  },

  field() {
    return this.el.elements.body;
  },

  submit(event) {
    event?.preventDefault();
    if (this.isClosed()) return;
    if (!this.body.check()) return;
    if (this.account.isSignedIn()) this.post();
    else this.askToPost();
  },

  post() {
    const comment = this.compose(this.field().value);
    if (comment === null) return this.body.showProblem(OUTBOX_FULL);
    this.formId = uuid();
    this.draft.removeAfter(this.collection.outbox.kept());
    this.presence.endTyping();
    this.empty();
    this.posted(comment);
  },

  compose(body) {
    return this.collection.compose(body, this.account, null, idOf(this.formId, body));
  },

  posted(_comment) {
    this.field().focus({ preventScroll: true });
  },

  typed() {
    this.storeDraft();
    if (this.field().value.trim() !== "") this.presence.reportTyping();
  },

  storeDraft() {
    this.body.update();
    this.draft.save(this.field().value, { form: this.formId });
  },

  // If comments are closed, orphaned_edits_view.js shows the text above the field, and discards it there.
  emptyIfDiscarded({ place, body }) {
    if (place === this.place() && body === this.field().value) this.empty();
  },

  hasText() {
    return this.field().value.trim() !== "";
  },

  empty() {
    this.show("");
  },

  remove() {
    this.mention.remove();
    return Backbone.View.prototype.remove.call(this);
  },

  askToPost() {
    const to = "post your comment";
    this.bus.trigger(AUTH_DIALOG_WANTED, "signin", { to, act: () => this.submit() });
  },

  handleKey(event) {
    if (isPostKey(event)) this.submit(event);
  },
});
