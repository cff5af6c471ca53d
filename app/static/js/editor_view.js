import { ConflictView } from "./conflict_view.js";
import { fromTemplate } from "./template.js";

const UNREAD_MS = 500;
const GONE = "This comment was deleted while you were writing. You can still copy your text.";

/**
 * The textarea in place of a comment's text. Once open it is nobody's but the person's: whatever happens
 * to the comment is told beside the text and never written into it.
 *
 * Triggers "save" (body, base), where base is the {seq, body} that it knowingly replaces, and "cancel".
 */
export const EditorView = Backbone.View.extend({
  events: {
    submit: "save",
    input: "keep",
    keydown: "key",
    "click .editor__cancel": "cancel",
  },

  /**
   * Options: `body`, the text to start with; `base` {seq, body}, what that was written on, unless that is what the
   * model knows; `problem`, why it was refused before, or null; `drafts`, which keep the text, if it is to be kept.
   */
  initialize({ body, base, problem = null, drafts = null }) {
    this.setElement(fromTemplate("editor"));
    this.problem = problem;
    this.draft = drafts?.at(this.model.id);
    this.field().value = body;
    this.conflict = new ConflictView({ el: this.el, base: base ?? this.present() });
    this.listenTo(this.conflict, "written", this.keep);
    this.listenTo(this.model, "change:body", this.changed);
    this.listenTo(this.model, "standing", this.changed);
    if (drafts) this.listenTo(drafts, "erased", () => this.trigger("close"));
    this.conflict.expect(this.model.pending?.body);
    if (this.newest().seq !== this.conflict.base.seq) this.changed();
    if (problem && !this.conflict.isOpen()) this.say(problem.message);
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
    this.draft?.keep(this.field().value, this.conflict.base);
  },

  // Once the other text has been shown, saving knowingly replaces it, and so is written on that.
  save(event) {
    event?.preventDefault();
    const body = this.field().value;
    if (body.trim() === "") return this.field().focus();
    this.trigger("save", body, this.conflict.latest);
  },

  cancel() {
    this.trigger("cancel");
  },

  key(event) {
    if (event.originalEvent.isComposing) return; // the key is the input method's
    if (event.key === "Escape") this.cancel();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.saveByKey(event);
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
    this.stopListening(this.model);
    this.conflict.close();
    this.el.querySelector(".editor__save").hidden = true;
    this.el.querySelector(".editor__cancel").textContent = "Close";
    this.say(GONE);
  },

  say(message) {
    const note = this.el.querySelector(".editor__problem");
    note.textContent = message;
    note.hidden = false;
  },

  /** Whoever closes it has decided about the text. (Leaving the page closes nothing.) */
  remove() {
    this.draft?.dropAfter(this.model.outbox.kept());
    this.conflict.close();
    return Backbone.View.prototype.remove.call(this);
  },
});
