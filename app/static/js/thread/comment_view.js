import { CHANGE_REFUSED, SAVE_STATE_CHANGED } from "../core/events.js";
import { LazyPart } from "../core/lazy_part.js";
import { fromTemplate } from "../core/template.js";
import { REPLY } from "../outbox/drafts.js";
import { copyByButton } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";
import { isEscape } from "../ui/keys.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { describeRemoval } from "./deleted_comment_view.js";
import { fold, unfold } from "./folding.js";
import { LikeView } from "./like_view.js";
import { ReplyView } from "./reply_view.js";

const HUES = 8;
const ROLES = { moderator: "Moderator", owner: "Owner" };
const STATE_NOTES = { sending: "Sending…", saving: "Saving…" };
const HELD_NOTE = "Will be sent when you sign in again.";
const WAITING_NOTE = "Waiting for the connection…";
const FORBIDDEN = 403; // for example, the conversation was locked
const REFUSED_NOTES = {
  create: "Couldn't post this comment.",
  update: "Couldn't save your changes.",
  destroy: "Couldn't delete this comment.",
};
const UNSAVED = {
  edit: { words: "You have unsaved changes.", go: "Continue editing" },
  reply: { words: "You have an unsent reply.", go: "Continue" },
};

/** @typedef {{ model: Parley.Comment, list: any, like: any }} Fields */

/** The field in which people edit a comment. */
export const EDITOR = new LazyPart(() => import("./editor_view.js"));

/** One comment in the list. If the server rendered its element, the view uses that one. */
export const CommentView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "comment",
  events: {
    "click .comment__unfold": "toggleFolding",
    "focusin .comment__body": "unfold",
    "click .comment__reply": "reply",
    "click .comment__edit": "edit",
    "click .comment__retry": "retry",
    "click .comment__discard": "discard",
    "click .comment__copy": "copy",
    "click .comment__delete": "askToDelete",
    "click .comment__delete-yes": "delete",
    "click .comment__delete-no": "cancelDelete",
    "click .comment__undo": "undo",
    "click .unsaved__continue": "continueUnsaved",
    "click .unsaved__discard": "discardUnsaved",
    "keydown .comment__confirm": "handleKey",
  },

  editor: /** @type {any} */ (null),
  composer: /** @type {any} */ (null), // the field of a reply
  rendered: "", // what the body shows
  isDeleted: false,
  isRemoved: false,

  /** Options: `model`; `list`, the CommentsView; `el`, if the server rendered it. */
  initialize({ list }) {
    this.list = list;
    this.listenTo(this.model, `change ${SAVE_STATE_CHANGED}`, this.renderInPlace);
    this.listenTo(this.model, SAVE_STATE_CHANGED, this.closeIfSaved);
    this.listenTo(this.model, CHANGE_REFUSED, this.showRefusal);
    this.listenTo(this.model, "change:current_user_can_edit", this.resumeEdit);
    this.listenTo(this.model.collection.commentable, "change:locked", this.renderActions);
    this.render();
    this.resumeEdit();
    this.like = new LikeView({ el: this.part("like"), model: this.model, ...this.parts });
  },

  remove() {
    this.isRemoved = true;
    this.like.remove();
    return Backbone.View.prototype.remove.call(this);
  },

  // A longer text must not move the comments that a person reads below it.
  renderInPlace() {
    keepScrollPosition(this.el.parentNode, () => this.render());
  },

  render() {
    if (this.isDeleted) return;
    this.renderHead();
    this.renderModeration();
    this.renderParent();
    this.renderBody();
    this.renderState();
    this.renderActions();
  },

  renderHead() {
    const { id, username, role, created_at, edited, updated_at } = this.model.attributes;
    this.el.id = `comment-${id}`;
    this.el.dataset.commentId = id;
    this.part("author").textContent = username;
    this.part("role").textContent = ROLES[role] ?? "";
    this.part("role").hidden = !(role in ROLES);
    this.part("mark").textContent = Array.from(username)[0];
    this.part("body").id = `comment-${id}-body`;
    this.part("unfold").setAttribute("aria-controls", this.part("body").id);
    this.part("mark").dataset.hue = `${hueOf(username)}`;
    this.part("link").href = `#comment-${id}`;
    this.part("edited").hidden = !edited;
    if (edited) setTime(this.part("edited-time"), updated_at);
    setTime(this.part("time"), created_at);
  },

  renderModeration() {
    this.part("hidden").hidden = !this.model.get("hidden");
    this.part("menu").classList.toggle("is-early", this.model.isNew()); // the server does not have the comment yet
  },

  /**
   * The author of the parent: visible if the parent is not the comment above in the nesting, else only for screen
   * readers.
   */
  renderParent() {
    const { parent_id: parentId } = this.model.attributes;
    const path = this.model.path();
    const part = this.part("answers");
    const name = this.model.collection?.get(parentId)?.get("username");
    const isElsewhere = Boolean(parentId) && path.at(-1) !== parentId;
    this.el.dataset.depth = path.length;
    part.hidden = !parentId;
    part.classList.toggle("hush", !isElsewhere);
    if (isElsewhere) part.href = `#comment-${parentId}`;
    this.part("answered").textContent = name ?? "an earlier comment";
  },

  // The only place where a string becomes HTML. That string always comes from `app/comments/markdown/` on the server,
  // which cleans it. Text that people type is only ever inserted as text.
  renderBody() {
    const [html, text] = [this.model.html(), this.model.text()];
    const rendered = JSON.stringify([html, text]);
    if (this.rendered === rendered) return;
    this.rendered = rendered;
    const body = this.part("body");
    body.classList.toggle("is-marked", html !== null);
    if (html === null) body.textContent = text;
    else body.innerHTML = html;
    fold(this.el, text);
  },

  toggleFolding({ delegateTarget: button }) {
    const shown = button.getAttribute("aria-expanded") !== "true";
    keepScrollPosition(this.el.parentNode, () => unfold(this.el, shown));
    if (!shown) this.el.scrollIntoView({ block: "nearest", behavior: "instant" });
  },

  // The keyboard focus has moved to a link that may be in the folded part.
  unfold() {
    unfold(this.el);
  },

  renderState() {
    const state = this.model.state();
    const hadFocus = this.el.contains(document.activeElement);
    this.el.dataset.state = state;
    this.renderUndo();
    this.el.hidden = state === "deleting" && !this.model.deletionTimer;
    if (this.el.hidden && hadFocus) this.list.focusHeading();
    this.renderNote(this.noteOf(state));
  },

  // While a deletion can be undone, one line with the button replaces the comment.
  renderUndo() {
    const canUndo = this.model.deletionTimer > 0;
    this.el.classList.toggle("comment", !canUndo);
    this.el.classList.toggle("undoing", canUndo);
    this.part("deleted").hidden = !canUndo;
  },

  noteOf(state) {
    const { pending, refusal } = this.model;
    if (refusal) return `${REFUSED_NOTES[refusal.act]} ${refusal.problem.message}`;
    if (pending && this.model.outbox.held) return HELD_NOTE;
    const isWaiting = pending && (this.model.outbox.isBackingOff || pending.tries > 1);
    return isWaiting ? WAITING_NOTE : (STATE_NOTES[state] ?? "");
  },

  renderActions() {
    const unsent = this.model.isNew() && this.model.refusal !== null;
    this.part("actions").hidden = Boolean(this.editor) || !this.model.get("current_user_can_edit");
    const isClosed = unsent && this.isClosed();
    this.part("retry").hidden = !unsent || isClosed || !mayBeAccepted(this.model.refusal.problem);
    this.part("edit").hidden = isClosed;
    this.part("copy").hidden = !unsent;
    this.part("discard").hidden = !unsent;
    this.part("delete").hidden = unsent;
    this.part("reply").hidden = this.model.isNew(); // nobody else has the comment yet
  },

  renderNote(text) {
    this.part("note").textContent = text;
    this.part("note").hidden = text === "" || Boolean(this.editor);
  },

  // Editing

  edit() {
    const { refusal } = this.model;
    const draft = this.findPutAside("edit");
    const focus = () => this.editor.focus();
    if (draft) this.open({ problem: refusal?.problem, ...draft }, focus);
    else if (refusal?.act === "update") this.open(refusal, focus);
    else this.open({ body: this.model.text() }, focus);
  },

  // If this person was editing when the page was closed, open the editor again. The focus does not move.
  resumeEdit() {
    const draft = this.model.get("current_user_can_edit") && this.drafts.at(this.model.id).read();
    if (!draft || this.editor || draft.body === this.model.text()) return;
    if (draft.closed) return this.renderUnsaved();
    EDITOR.use((module) => {
      const open = () => this.openNow(module, { problem: this.model.refusal?.problem, ...draft });
      if (this.el.parentNode) keepScrollPosition(this.el.parentNode, open);
      else open();
    });
  },

  // The code of the editor may have to be loaded first. `opened` () is called once the editor is open.
  open(start, opened = () => {}) {
    EDITOR.use((module) => this.openNow(module, start) && opened());
  },

  // Returns whether the editor is open. While its code was loading, the comment may have been deleted, or another
  // editor opened. `base` is the version that the text changes; a refused text has its own.
  openNow({ EditorView }, { body, base = undefined, problem = undefined }) {
    if (this.isRemoved || (this.isDeleted && !this.model.record)) return false;
    if (this.editor && problem) this.editor.showRefusal(problem);
    if (this.editor) return true;
    const { model, parts } = this;
    this.editor = new EditorView({ model, comment: this, body, base, problem, ...parts });
    this.part("body").hidden = true;
    this.part("body").after(this.editor.el);
    this.renderUnsaved();
    this.render();
    return true;
  },

  close() {
    const hadFocus = this.editor.el.contains(document.activeElement);
    this.editor.remove();
    this.editor = null;
    this.part("body").hidden = false;
    this.renderUnsaved();
    this.render();
    if (hadFocus) this.el.focus({ preventScroll: true });
  },

  save(body, base) {
    if (body !== this.model.get("body") || this.model.record) this.model.edit(body, base);
    this.close();
  },

  closeEditor() {
    this.close();
    this.finish();
  },

  // The view of a deleted comment is removed once it has no open field.
  finish() {
    if (this.isDeleted && !this.editor && !this.composer) this.list.removeView(this);
  },

  // Closing the editor discards the refused change that it shows. A changed text is put aside, unless the comment was
  // deleted: then the button says "Discard".
  cancel() {
    const isShown = this.editor.problem !== null && this.model.refusal?.act === "update";
    const original = isShown ? this.model.get("body") : this.model.text();
    const text = this.editor.field().value;
    if (!this.isDeleted && text !== original && text.trim() !== "") this.editor.putAside();
    this.closeEditor();
    if (this.isDeleted || isShown) this.model.discard();
  },

  // Texts that were put aside

  placeOf(kind) {
    return kind === "reply" ? `${REPLY}${this.model.id}` : this.model.id;
  },

  /** The draft of this kind that was put aside here, or null. */
  findPutAside(kind) {
    const draft = this.drafts.at(this.placeOf(kind)).read();
    return draft?.closed ? draft : null;
  },

  renderUnsaved() {
    const mayEdit = this.model.get("current_user_can_edit") && !this.editor && !this.isDeleted;
    this.showUnsaved("edit", mayEdit && this.findPutAside("edit") !== null);
  },

  renderUnsentReply() {
    this.showUnsaved(
      "reply",
      !this.composer && !this.isDeleted && this.findPutAside("reply") !== null,
    );
  },

  showUnsaved(kind, isThere) {
    const known = this.el.querySelector(`.comment__unsaved[data-kind="${kind}"]`);
    if (!isThere) known?.remove();
    if (!isThere || known) return;
    const note = fromTemplate("unsaved");
    note.dataset.kind = kind;
    note.querySelector(".unsaved__words").textContent = UNSAVED[kind].words;
    note.querySelector(".unsaved__continue").textContent = UNSAVED[kind].go;
    this.part("foot").before(note);
  },

  continueUnsaved({ delegateTarget: button }) {
    if (button.parentNode.dataset.kind === "edit") this.edit();
    else this.reply();
  },

  discardUnsaved({ delegateTarget: button }) {
    const { kind } = button.parentNode.dataset;
    const draft = this.drafts.at(this.placeOf(kind));
    draft?.read(); // `remove` then also finds a draft that another tab has written
    draft?.remove();
    keepScrollPosition(this.el.parentNode, () => this.showUnsaved(kind, false));
    this.el.focus({ preventScroll: true });
  },

  showRefusal() {
    const { refusal } = this.model;
    if (refusal?.act !== "update") return;
    if (this.editor) return this.editor.showRefusal(refusal.problem);
    this.open(refusal, () => {
      const isTypingElsewhere = document.activeElement?.closest("form");
      if (!isTypingElsewhere) this.editor.focus({ preventScroll: true });
    });
  },

  // The request seemed to fail, but then the stream delivered the same text.
  closeIfSaved() {
    const isSaved = this.editor?.problem && this.model.state() === "settled";
    if (isSaved && this.editor.field().value === this.model.get("body")) this.close();
  },

  /** Whether a person has an unsaved edit or reply here. */
  hasText() {
    const hasEdit = this.editor !== null || this.model.record?.act === "update";
    return hasEdit || Boolean(this.composer?.hasText());
  },

  /** The comment was deleted. An unsaved edit or reply stays until the person closes its field. */
  showDeleted() {
    if (this.model.record?.act === "update" && !this.editor)
      this.open({ body: this.model.text() }, () => this.isDeleted && this.editor.showDeleted());
    this.isDeleted = true;
    this.stopListening(this.model);
    const words = describeRemoval(this.model.get("removed_by"));
    this.part("body").textContent = words;
    fold(this.el, words);
    for (const name of ["actions", "reply", "menu", "like"]) this.part(name).hidden = true;
    this.editor?.showDeleted();
    if (this.composer?.hasText()) this.composer.showDeleted();
    else if (this.composer) this.closeReply(null);
  },

  // Replying

  reply() {
    if (!this.composer) keepScrollPosition(this.el.parentNode, () => this.openReply());
    this.composer.focus();
  },

  openReply() {
    if (this.composer) return;
    const { collection } = this.model;
    this.composer = new ReplyView({ collection, parent: this, ...this.parts });
    this.el.append(this.composer.el);
    this.renderUnsentReply();
  },

  /** Open the reply that this person was writing when the page was closed, unless they had put it aside. */
  resumeReply() {
    if (this.findPutAside("reply")) this.renderUnsentReply();
    else this.openReply();
  },

  closeReply(reply) {
    const hadFocus = this.composer.el.contains(document.activeElement);
    const { composer } = this;
    this.composer = null;
    keepScrollPosition(this.el.parentNode, () => {
      composer.remove();
      this.renderUnsentReply();
    });
    if (reply) this.list.focusReply(reply);
    else if (hadFocus) this.el.focus({ preventScroll: true });
    this.finish();
  },

  // Deleting, in two steps

  askToDelete() {
    this.showConfirmation(true);
    this.part("delete-yes").focus();
  },

  cancelDelete() {
    this.showConfirmation(false);
    this.part("delete").focus();
  },

  delete() {
    this.showConfirmation(false);
    const { undoMs = 0 } = this.model.collection ?? {};
    if (undoMs === 0) this.list.focusHeading();
    this.model.removeLater(undoMs);
    if (undoMs > 0) this.part("undo").focus({ preventScroll: true });
  },

  undo() {
    this.model.undo();
    this.part("delete").focus({ preventScroll: true });
  },

  showConfirmation(isShown) {
    this.part("confirm").hidden = !isShown;
    this.part("choices").hidden = isShown;
  },

  handleKey(event) {
    if (isEscape(event)) this.cancelDelete();
  },

  // A comment that could not be posted

  retry() {
    this.model.retry();
  },

  discard() {
    this.model.discard();
  },

  copy({ delegateTarget: button }) {
    copyByButton(this.model.text(), button, this.bus);
  },

  isClosed() {
    return this.model.collection?.isClosedTo(this.account) ?? false;
  },
});

// Whether the server may accept the same text later. It never accepts an invalid text, or an invalid place for it.
const mayBeAccepted = ({ status }) => status >= 500 || status === FORBIDDEN;

// Only if it differs, because <relative-time> starts its clock again when the attribute is set.
function setTime(time, at) {
  if (time.getAttribute("datetime") !== at) time.setAttribute("datetime", at);
}

// A person has the same colour everywhere.
const hueOf = (name) =>
  Array.from(name).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
