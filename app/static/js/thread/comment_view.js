import {
  ANNOUNCEMENT,
  CHANGE_REFUSED,
  DISCARD_WANTED,
  DRAFT_RESUMED,
  EDIT_CANCELED,
  EDIT_SAVED,
  FIELD_CLOSED,
  FOCUS_LOST,
  REPLY_POSTED,
  SAVE_STATE_CHANGED,
  VIEW_FINISHED,
} from "../core/events.js";
import { LazyPart } from "../core/lazy_part.js";
import { fromTemplate } from "../core/template.js";
import { REPLY } from "../outbox/drafts.js";
import { copyText } from "../ui/clipboard.js";
import { isEscape } from "../ui/keys.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { describeRemoval } from "./deleted_comment_view.js";
import { fold, unfold } from "./folding.js";
import { LikeView } from "./like_view.js";
import { ReplyView } from "./reply_view.js";
import { UnsavedView } from "./unsaved_view.js";

const HUES = 8;
const ROLES = { moderator: "Moderator", owner: "Owner" };
const NOTES = { sending: "Sending…", saving: "Saving…" };
const HELD = "Will be sent when you sign in again.";
const WAITING = "Waiting for the connection…";
const FORBIDDEN = 403; // the conversation was locked
const REFUSED = {
  create: "Couldn't post this comment.",
  update: "Couldn't save your changes.",
  destroy: "Couldn't delete this comment.",
};

/**
 * @typedef {{
 *   model: Parley.Comment,
 *   desk: Parley.Desk,
 *   drafts: Parley.Drafts | null,
 *   editor: any,
 *   composer: any,
 *   unsaved: any,
 *   drawn: string | null,
 *   like: any,
 *   isGone: boolean,
 *   isRemoved: boolean,
 * }} Fields
 */

/** The field in which people edit a comment. */
export const EDITOR = new LazyPart(() => import("./editor_view.js"));

/** One comment in the list. Takes over its server-rendered element when there is one. */
export const CommentView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    "click .comment__unfold": "turn",
    "focusin .comment__body": "unfold",
    "click .comment__reply": "reply",
    "click .comment__edit": "edit",
    "click .comment__retry": "retry",
    "click .comment__discard": "discard",
    "click .comment__copy": "copy",
    "click .comment__delete": "ask",
    "click .comment__delete-yes": "delete",
    "click .comment__delete-no": "keep",
    "click .comment__undo": "undo",
    "keydown .comment__confirm": "key",
  },

  /** Options: `model`; `element`, when the page came with one; what a composer needs: `desk`, with the `drafts`; `likes`. */
  initialize({ element, desk, likes = null }) {
    this.desk = desk;
    this.drafts = desk.drafts;
    this.setElement(element ?? fromTemplate("comment"));
    this.editor = null;
    this.isRemoved = false;
    this.composer = null; // of a reply to it
    this.unsaved = {}; // kind (edit | reply) → the view that says that a text was put aside
    this.drawn = null; // what the body shows
    this.listenTo(this.model, `change ${SAVE_STATE_CHANGED}`, this.changed);
    this.listenTo(this.model, SAVE_STATE_CHANGED, this.settled);
    this.listenTo(this.model, CHANGE_REFUSED, this.refused);
    this.listenTo(this.model, "change:current_user_can_edit", this.resume);
    const { commentable } = this.model.collection ?? {};
    if (commentable) this.listenTo(commentable, "change:locked", this.renderActions);
    this.render();
    this.resume();
    if (likes) this.like = new LikeView({ el: this.part("like"), model: this.model, likes });
  },

  remove() {
    this.isRemoved = true;
    this.like?.remove();
    return Backbone.View.prototype.remove.call(this);
  },

  part(name) {
    return this.el.querySelector(`.comment__${name}`);
  },

  // A longer text may push down what somebody reads below it.
  changed() {
    keepScrollPosition(this.el.parentNode, () => this.render());
  },

  render() {
    if (this.isGone) return;
    this.renderHead();
    this.renderModeration();
    this.renderAnswered();
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
    this.part("mark").dataset.hue = `${hue(username)}`;
    this.part("link").href = `#comment-${id}`;
    this.part("edited").hidden = !edited;
    if (edited) date(this.part("edited-time"), updated_at);
    date(this.part("time"), created_at);
  },

  renderModeration() {
    this.part("hidden").hidden = !this.model.get("hidden");
    this.part("menu").classList.toggle("is-early", this.model.isNew()); // there is nothing to link to yet, or to report
  },

  /** Whom it answers: said to everyone where it does not stand under that comment. */
  renderAnswered() {
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

  // The only place where a string becomes HTML. That string always comes from `app/comments/markdown/` on the server, which
  // cleans it. Text that people type is only ever inserted as text.
  renderBody() {
    const [html, text] = [this.model.html(), this.model.text()];
    const drawn = JSON.stringify([html, text]);
    if (this.drawn === drawn) return;
    this.drawn = drawn;
    const body = this.part("body");
    body.classList.toggle("is-marked", html !== null);
    if (html === null) body.textContent = text;
    else body.innerHTML = html;
    fold(this.el, text);
  },

  turn({ delegateTarget: button }) {
    const shown = button.getAttribute("aria-expanded") !== "true";
    keepScrollPosition(this.el.parentNode, () => unfold(this.el, shown));
    if (!shown) this.el.scrollIntoView({ block: "nearest", behavior: "instant" });
  },

  // The keyboard focus has come to a link that may be folded away.
  unfold() {
    unfold(this.el);
  },

  renderState() {
    const state = this.model.state();
    const hadFocus = this.el.contains(document.activeElement);
    this.el.dataset.state = state;
    this.renderLeaving();
    this.el.hidden = state === "deleting" && !this.model.leaving;
    if (this.el.hidden && hadFocus) this.trigger(FOCUS_LOST);
    this.note(this.noteOf(state));
  },

  // Of a comment that is about to be deleted there is nothing here but a line in its place.
  renderLeaving() {
    const isLeaving = this.model.leaving > 0;
    this.el.classList.toggle("comment", !isLeaving);
    this.el.classList.toggle("undoing", isLeaving);
    this.part("deleted").hidden = !isLeaving;
  },

  noteOf(state) {
    const { pending, refusal } = this.model;
    if (refusal) return `${REFUSED[refusal.act]} ${refusal.problem.message}`;
    if (pending && this.model.outbox.held) return HELD;
    const waits = pending && (this.model.outbox.resting || pending.tries > 1);
    return waits ? WAITING : (NOTES[state] ?? "");
  },

  renderActions() {
    const unsent = this.model.isNew() && this.model.refusal !== null;
    this.part("actions").hidden = Boolean(this.editor) || !this.model.get("current_user_can_edit");
    const isClosed = unsent && this.isClosed();
    this.part("retry").hidden = !unsent || isClosed || !mayPass(this.model.refusal.problem);
    this.part("edit").hidden = isClosed;
    this.part("copy").hidden = !unsent;
    this.part("discard").hidden = !unsent;
    this.part("delete").hidden = unsent;
    this.part("reply").hidden = this.model.isNew(); // there is nothing to answer yet, for anybody else
  },

  note(text) {
    this.part("note").textContent = text;
    this.part("note").hidden = text === "" || Boolean(this.editor);
  },

  // Editing

  edit() {
    const { refusal } = this.model;
    const draft = this.putAside("edit");
    const focus = () => this.editor.focus();
    if (draft) this.open({ problem: refusal?.problem, ...draft }, focus);
    else if (refusal?.act === "update") this.open(refusal, focus);
    else this.open({ body: this.model.text() }, focus);
  },

  // Where somebody was typing when the page went away, they go on. The focus stays where it is.
  resume() {
    const draft = this.model.get("current_user_can_edit") && this.drafts?.of(this.model.id);
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

  // Whether the editor is open then. Meanwhile the comment may have gone, or an editor may have been opened. What is
  // refused was written on a state of its own, its base.
  openNow({ EditorView }, { body, base = undefined, problem = undefined }) {
    if (this.isRemoved || (this.isGone && !this.model.record)) return false;
    if (this.editor && problem) this.editor.refuse(problem);
    if (this.editor) return true;
    const { model, drafts } = this;
    const { bus, account } = this.desk;
    this.editor = new EditorView({ model, body, base, problem, drafts, bus, account });
    this.listenTo(this.editor, EDIT_SAVED, this.save);
    this.listenTo(this.editor, EDIT_CANCELED, this.cancel);
    this.listenTo(this.editor, FIELD_CLOSED, this.leave);
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

  leave() {
    this.close();
    this.end();
  },

  // Of a comment that is gone, nothing is kept but what somebody was writing.
  end() {
    if (this.isGone && !this.editor && !this.composer) this.trigger(VIEW_FINISHED, this);
  },

  // Closing the editor discards the refused change that it showed. A changed text is put aside, unless its comment is
  // gone: then the button says "Discard".
  cancel() {
    const isShown = this.editor.problem !== null && this.model.refusal?.act === "update";
    const known = isShown ? this.model.get("body") : this.model.text();
    const text = this.editor.field().value;
    if (!this.isGone && text !== known && text.trim() !== "") this.editor.putAside();
    this.leave();
    if (this.isGone || isShown) this.model.discard();
  },

  // Texts that were put aside

  placeOf(kind) {
    return kind === "reply" ? `${REPLY}${this.model.id}` : this.model.id;
  },

  /** The draft of this kind that was put aside here, or null. */
  putAside(kind) {
    const draft = this.drafts?.of(this.placeOf(kind));
    return draft?.closed ? draft : null;
  },

  renderUnsaved() {
    const mayEdit = this.model.get("current_user_can_edit") && !this.editor && !this.isGone;
    this.showUnsaved("edit", mayEdit && this.putAside("edit") !== null);
  },

  renderUnsentReply() {
    this.showUnsaved("reply", !this.composer && !this.isGone && this.putAside("reply") !== null);
  },

  showUnsaved(kind, isThere) {
    if (Boolean(this.unsaved[kind]) === isThere) return;
    if (isThere) {
      const view = new UnsavedView({ kind });
      this.listenTo(view, DRAFT_RESUMED, kind === "edit" ? this.edit : this.reply);
      this.listenTo(view, DISCARD_WANTED, () => this.discardUnsaved(kind));
      this.part("foot").before(view.el);
      this.unsaved[kind] = view;
    } else {
      this.unsaved[kind].remove();
      this.unsaved[kind] = null;
    }
  },

  discardUnsaved(kind) {
    const draft = this.drafts?.at(this.placeOf(kind));
    draft?.read(); // this finds it even if another tab has written it
    draft?.drop();
    keepScrollPosition(this.el.parentNode, () => this.showUnsaved(kind, false));
    this.el.focus({ preventScroll: true });
  },

  // A refused text goes back where it was written, beside the reason.
  refused() {
    const { refusal } = this.model;
    if (refusal?.act !== "update") return;
    if (this.editor) return this.editor.refuse(refusal.problem);
    this.open(refusal, () => {
      const elsewhere = document.activeElement?.closest("form");
      if (!elsewhere) this.editor.focus({ preventScroll: true });
    });
  },

  // The request seemed to fail, and then the stream brought just that text.
  settled() {
    const done = this.editor?.problem && this.model.state() === "settled";
    if (done && this.editor.field().value === this.model.get("body")) this.close();
  },

  /** Somebody still wants it to say something, or has begun to answer. */
  hasText() {
    const isWanted = this.editor !== null || this.model.record?.act === "update";
    return isWanted || Boolean(this.composer?.hasText());
  },

  /** The comment was deleted, but not what was written for it: that stays until the person closes it. */
  gone() {
    if (this.model.record?.act === "update" && !this.editor)
      this.open({ body: this.model.text() }, () => this.isGone && this.editor.gone());
    this.isGone = true;
    this.stopListening(this.model);
    const words = describeRemoval(this.model.get("removed_by"));
    this.part("body").textContent = words;
    fold(this.el, words);
    for (const name of ["actions", "reply", "menu", "like"]) this.part(name).hidden = true;
    this.editor?.gone();
    if (this.composer?.hasText()) this.composer.gone();
    else if (this.composer) this.closeReply(null);
  },

  // Replying

  reply() {
    if (!this.composer) keepScrollPosition(this.el.parentNode, () => this.openReply());
    this.composer.focus();
  },

  /** Have the field for a reply open, with what was typed there before. */
  openReply() {
    if (this.composer) return;
    const { model: parent, desk } = this;
    this.composer = new ReplyView({ parent, collection: parent.collection, ...desk });
    this.listenTo(this.composer, FIELD_CLOSED, this.closeReply);
    this.el.append(this.composer.el);
    this.renderUnsentReply();
  },

  /** Open the reply that somebody was writing when the page was closed, unless they had put it aside. */
  resumeReply() {
    if (this.putAside("reply")) this.renderUnsentReply();
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
    if (reply) this.trigger(REPLY_POSTED, reply);
    else if (hadFocus) this.el.focus({ preventScroll: true });
    this.end();
  },

  // Deleting, in two steps

  ask() {
    this.confirm(true);
    this.part("delete-yes").focus();
  },

  keep() {
    this.confirm(false);
    this.part("delete").focus();
  },

  delete() {
    this.confirm(false);
    const { undoMs = 0 } = this.model.collection ?? {};
    if (undoMs === 0) this.trigger(FOCUS_LOST);
    this.model.removeIn(undoMs);
    if (undoMs > 0) this.part("undo").focus({ preventScroll: true });
  },

  undo() {
    this.model.undo();
    this.part("delete").focus({ preventScroll: true });
  },

  confirm(asking) {
    this.part("confirm").hidden = !asking;
    this.part("choices").hidden = asking;
  },

  key(event) {
    if (isEscape(event)) this.keep();
  },

  // What could not be posted

  retry() {
    this.model.retry();
  },

  discard() {
    this.model.discard();
  },

  async copy({ delegateTarget: button }) {
    const isCopied = await copyText(this.model.text());
    button.textContent = isCopied ? "Copied" : "Copy text";
    this.desk.bus?.trigger(ANNOUNCEMENT, isCopied ? "Text copied." : "Couldn't copy the text.");
  },

  isClosed() {
    const { commentable } = this.model.collection ?? {};
    return commentable?.isClosedTo(this.desk.account) ?? false;
  },
});

// Whether the server may accept the same text later. It never accepts an invalid text, or an invalid place for it.
const mayPass = ({ status }) => status >= 500 || status === FORBIDDEN;

// Only where it is another: the element counts from when it was set.
function date(time, at) {
  if (time.getAttribute("datetime") !== at) time.setAttribute("datetime", at);
}

// The same person has the same tint everywhere.
const hue = (name) =>
  Array.from(name).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
