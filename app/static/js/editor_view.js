import { fromTemplate } from "./template.js";

const PRECONDITION_FAILED = 412;
const GONE = "This comment has been deleted meanwhile. Your text is still here to copy.";

/**
 * The textarea in place of a comment's text. Once open it is nobody's but the person's: whatever happens
 * to the comment is told beside the text and never written into it.
 *
 * Triggers "save" (body, seq that it was written on) and "cancel".
 */
export const EditorView = Backbone.View.extend({
  events: {
    submit: "save",
    keydown: "key",
    "click .editor__cancel": "cancel",
  },

  /** Options: `body`, the text to start with, and `problem`, why it was refused before, or null. */
  initialize({ body, problem = null }) {
    this.setElement(fromTemplate("editor"));
    this.problem = problem;
    this.seq = this.model.get("seq");
    this.field().value = body;
    this.listenTo(this.model, "change:body", this.changed);
    if (problem?.status === PRECONDITION_FAILED) this.changed();
    else if (problem) this.say(problem.message);
  },

  field() {
    return this.el.elements.body;
  },

  focus() {
    const field = this.field();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  },

  save(event) {
    event?.preventDefault();
    const body = this.field().value;
    if (body.trim() === "") return this.field().focus();
    this.trigger("save", body, this.seq);
  },

  cancel() {
    this.trigger("cancel");
  },

  key(event) {
    if (event.originalEvent.isComposing) return; // the key is the input method's
    if (event.key === "Escape") this.cancel();
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.save(event);
  },

  // Saving now knowingly replaces what is shown here, so it is written on that.
  changed() {
    this.seq = this.model.get("seq");
    this.el.querySelector(".editor__theirs").textContent = this.model.get("body");
    this.el.querySelector(".editor__conflict").hidden = false;
    this.el.querySelector(".editor__save").textContent = "Save mine instead";
  },

  /** The comment is no more: nothing can be saved, nothing is thrown away. */
  gone() {
    this.stopListening(this.model);
    this.el.querySelector(".editor__conflict").hidden = true;
    this.el.querySelector(".editor__save").hidden = true;
    this.el.querySelector(".editor__cancel").textContent = "Close";
    this.say(GONE);
  },

  say(message) {
    const note = this.el.querySelector(".editor__problem");
    note.textContent = message;
    note.hidden = false;
  },
});
