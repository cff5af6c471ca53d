import { DRAFTS_ERASED, SAVE_STATE_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { isEscape, isPostKey } from "../ui/keys.js";
import { BodyField } from "./body_field.js";
import { ConflictView } from "./conflict_view.js";
import { MentionView } from "./mention_view.js";

const MIN_READING_MS = 500; // a conflict that appeared later than this before a key press has not been read
const DELETED = "This comment was deleted while you were writing. You can still copy your text.";

/**
 * @typedef {{
 *   el: HTMLFormElement,
 *   model: Parley.Comment,
 *   problem: Parley.RefusedProblem | null,
 *   comment: any,
 *   draft: any,
 *   body: import("./body_field.js").BodyField,
 *   mention: any,
 *   conflict: any,
 * }} Fields
 */

/**
 * The form that replaces a comment's text while its author edits it. Changes of the comment are shown beside the field,
 * and never written into it.
 */
export const EditorView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "editor",
  isDeleted: false,
  events: {
    submit: "save",
    input: "storeDraft",
    keydown: "handleKey",
    "click .editor__cancel": "cancel",
  },

  /**
   * Options: `comment`, its CommentView; `body`, the first text; `base` {seq, body}, the version that it changes, by default the model's;
   * `problem`, the reason of an earlier refusal, or null.
   */
  initialize({
    comment,
    body,
    base,
    problem = /** @type {Parley.RefusedProblem | null} */ (null),
  }) {
    this.comment = comment;
    this.problem = problem;
    this.draft = this.draftOf(body);
    this.field().value = body;
    const field = this.field();
    this.body = new BodyField({ field, problem: this.part("problem"), left: this.part("left") });
    const { collection } = this.model;
    this.mention = new MentionView({ el: this.field(), collection, ...this.parts });
    const changed = () => this.storeDraft();
    this.conflict = new ConflictView({ el: this.el, changed, base: base ?? this.modelVersion() });
    this.listenTo(this.model, "change:body", this.showLatest);
    this.listenTo(this.model, SAVE_STATE_CHANGED, this.showLatest);
    this.listenTo(this.drafts, DRAFTS_ERASED, () => comment.closeEditor());
    this.conflict.addOwn(this.model.pending?.body);
    if (this.latest().seq !== this.conflict.base.seq) this.showLatest();
    if (problem && !this.conflict.isOpen()) this.showProblem(problem.message);
  },

  // The editor may have been opened with another tab's draft. The first key press then takes over that draft, and no
  // other.
  draftOf(body) {
    const at = () => this.drafts.at(this.model.id, this.model.collection?.topic);
    const draft = at();
    return draft.read()?.body === body ? draft : at();
  },

  // If a change of this comment is unconfirmed, the new text has the same base as that change.
  modelVersion() {
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

  showLatest() {
    this.conflict.setLatest(this.latest());
  },

  // A refusal may have a newer state than the stream has delivered, and another tab may have a change that is not sent
  // yet.
  latest() {
    const [known, refused] = [this.model.attributes, this.problem?.comment];
    const { seq, body } = refused?.seq > known.seq ? refused : known;
    return { seq, body: this.model.pending?.body ?? body };
  },

  storeDraft() {
    this.body.update();
    this.draft?.save(this.field().value, this.conflict.base);
  },

  // The other text has been shown, so this one knowingly replaces it: that version is the base.
  save(event) {
    event?.preventDefault();
    if (this.body.check()) this.comment.save(this.field().value, this.conflict.latest);
  },

  cancel() {
    this.comment.cancel();
  },

  handleKey(event) {
    if (isEscape(event) && !this.isDeleted) this.cancel();
    if (isPostKey(event)) this.saveByKey(event);
  },

  // If the other text appeared just before the key press, the person has not read it. Then nothing is saved.
  saveByKey(event) {
    if (this.conflict.isUnread(MIN_READING_MS)) this.part("save").focus();
    else this.save(event);
  },

  /** The server refused an earlier save while this is open. */
  showRefusal(problem) {
    this.problem = problem;
    this.showLatest();
    if (!this.conflict.isOpen()) this.showProblem(problem.message);
  },

  /** The comment was deleted. The text cannot be saved any more; it stays until the person discards it. */
  showDeleted() {
    this.isDeleted = true;
    this.mention.remove();
    this.stopListening(this.model);
    this.conflict.close();
    this.part("save").hidden = true;
    this.part("cancel").textContent = "Discard";
    this.showProblem(DELETED);
  },

  /** Put the text aside, because the editor is about to be closed. */
  putAside() {
    this.storeDraft();
    this.draft?.close();
    this.draft = null;
  },

  /** Drops the draft, unless `putAside` was called. Leaving the page does not call this. */
  remove() {
    this.draft?.removeAfter(this.model.outbox.kept());
    this.conflict.close();
    this.mention.remove();
    return Backbone.View.prototype.remove.call(this);
  },
});
