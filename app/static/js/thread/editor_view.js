import {
  CONFLICT_TEXT_CHANGED,
  DRAFTS_ERASED,
  EDIT_CANCELED,
  EDIT_SAVED,
  FIELD_CLOSED,
  SAVE_STATE_CHANGED,
} from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { isEscape, isPostKey } from "../ui/keys.js";
import { BodyField } from "./body_field.js";
import { ConflictView } from "./conflict_view.js";
import { MentionView } from "./mention_view.js";

const UNREAD_MS = 500;
const GONE = "This comment was deleted while you were writing. You can still copy your text.";

/**
 * @typedef {{
 *   el: HTMLFormElement,
 *   model: Parley.Comment,
 *   problem: Parley.RefusedProblem | null,
 *   draft: any,
 *   isGone: boolean,
 *   body: import("./body_field.js").BodyField,
 *   mention: any,
 *   conflict: any,
 * }} Fields
 */

/**
 * The textarea in place of a comment's text. Once open it is nobody's but the person's: whatever happens
 * to the comment is told beside the text and never written into it.
 *
 * Triggers "save" (body, base), where base is the {seq, body} that it knowingly replaces, and "cancel".
 */
export const EditorView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: {
    submit: "save",
    input: "keep",
    keydown: "key",
    "click .editor__cancel": "cancel",
  },

  /**
   * Options: `body`, the text to start with; `base` {seq, body}, the version that it changes, by default the model's;
   * `problem`, why it was refused before, or null; `drafts`, if the text is to be kept; `bus` and `account`.
   */
  initialize({
    body,
    base,
    problem = /** @type {Parley.RefusedProblem | null} */ (null),
    drafts = null,
    bus,
    account,
  }) {
    this.setElement(fromTemplate("editor"));
    this.problem = problem;
    this.draft = this.draftOf(body, drafts);
    this.isGone = false;
    this.field().value = body;
    this.body = new BodyField({
      field: this.field(),
      problem: this.el.querySelector(".editor__problem"),
      left: this.el.querySelector(".editor__left"),
    });
    const { collection } = this.model;
    this.mention = new MentionView({ el: this.field(), bus, account, collection });
    this.conflict = new ConflictView({ el: this.el, base: base ?? this.present() });
    this.listenTo(this.conflict, CONFLICT_TEXT_CHANGED, this.keep);
    this.listenTo(this.model, "change:body", this.changed);
    this.listenTo(this.model, SAVE_STATE_CHANGED, this.changed);
    if (drafts) this.listenTo(drafts, DRAFTS_ERASED, () => this.trigger(FIELD_CLOSED));
    this.conflict.expect(this.model.pending?.body);
    if (this.newest().seq !== this.conflict.base.seq) this.changed();
    if (problem && !this.conflict.isOpen()) this.say(problem.message);
  },

  // The first key takes over the draft that the editor was opened with, even another tab's, but no other text.
  draftOf(body, drafts) {
    const at = () => drafts?.at(this.model.id, this.model.collection?.topic);
    const draft = at();
    return draft?.read()?.body === body ? draft : at();
  },

  // What is on its way to the server was written on something, and this is written on the same.
  present() {
    const { record, attributes } = this.model;
    const { seq, attrs } = record?.base ?? { seq: attributes.seq, attrs: attributes };
    return { seq, body: attrs.body };
  },

  field() {
    return this.el.elements.body;
  },

  focus(options) {
    const field = this.field();
    field.focus(options);
    field.setSelectionRange(field.value.length, field.value.length);
  },

  changed() {
    this.conflict.meet(this.newest());
  },

  // A refusal may know more than the stream has brought, and another tab of this browser more than the server.
  newest() {
    const [known, told] = [this.model.attributes, this.problem?.comment];
    const { seq, body } = told?.seq > known.seq ? told : known;
    return { seq, body: this.model.pending?.body ?? body };
  },

  keep() {
    this.body.update();
    this.draft?.keep(this.field().value, this.conflict.base);
  },

  // Once the other text has been shown, saving knowingly replaces it, and so is written on that.
  save(event) {
    event?.preventDefault();
    if (this.body.check()) this.trigger(EDIT_SAVED, this.field().value, this.conflict.latest);
  },

  cancel() {
    this.trigger(EDIT_CANCELED);
  },

  key(event) {
    if (isEscape(event) && !this.isGone) this.cancel();
    if (isPostKey(event)) this.saveByKey(event);
  },

  // The other text came while the keys went down: nobody has read it, and nothing is replaced unseen.
  saveByKey(event) {
    if (this.conflict.isUnread(UNREAD_MS)) this.el.querySelector(".editor__save").focus();
    else this.save(event);
  },

  /** What was saved before has been refused while this is open. */
  refuse(problem) {
    this.problem = problem;
    this.changed();
    if (!this.conflict.isOpen()) this.say(problem.message);
  },

  /** The comment is no more: nothing can be saved, nothing is thrown away. */
  gone() {
    this.isGone = true;
    this.mention.remove();
    this.stopListening(this.model);
    this.conflict.close();
    this.el.querySelector(".editor__save").hidden = true;
    this.el.querySelector(".editor__cancel").textContent = "Discard";
    this.say(GONE);
  },

  say(message) {
    const note = this.el.querySelector(".editor__problem");
    note.textContent = message;
    note.hidden = false;
  },

  /** Put the text aside, because the editor is about to be closed. */
  putAside() {
    this.keep();
    this.draft?.close();
    this.draft = null;
  },

  /** Drops the draft, unless `putAside` was called. Leaving the page does not call this. */
  remove() {
    this.draft?.dropAfter(this.model.outbox.kept());
    this.conflict.close();
    this.mention.remove();
    return Backbone.View.prototype.remove.call(this);
  },
});
