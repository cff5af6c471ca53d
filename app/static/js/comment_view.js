import { EditorView } from "./editor_view.js";
import { steadily } from "./steady.js";
import { fromTemplate } from "./template.js";

const HUES = 8;
const NOTES = { sending: "Sending…", saving: "Saving…" };
const REFUSED = { create: "Not posted.", edit: "Not saved.", delete: "Not deleted." };

/** One comment in the list. Takes over its server-rendered element when there is one. */
export const CommentView = Backbone.View.extend({
  events: {
    "click .comment__edit": "edit",
    "click .comment__retry": "retry",
    "click .comment__discard": "discard",
    "click .comment__delete": "ask",
    "click .comment__delete-yes": "delete",
    "click .comment__delete-no": "keep",
    "keydown .comment__confirm": "key",
  },

  initialize({ element }) {
    this.setElement(element ?? fromTemplate("comment"));
    this.editor = null;
    this.listenTo(this.model, "change standing", this.changed);
    this.listenTo(this.model, "standing", this.settled);
    this.listenTo(this.model, "refused", this.refused);
    this.render();
  },

  part(name) {
    return this.el.querySelector(`.comment__${name}`);
  },

  // A longer text may push down what somebody reads below it.
  changed() {
    steadily(this.el.parentNode, () => this.render());
  },

  render() {
    this.renderHead();
    this.part("body").textContent = this.model.text();
    this.renderState();
    this.renderActions();
  },

  renderHead() {
    const { id, username, created_at, edited } = this.model.attributes;
    this.el.id = `comment-${id}`;
    this.el.dataset.commentId = id;
    this.part("author").textContent = username;
    this.part("mark").textContent = Array.from(username)[0];
    this.part("mark").dataset.hue = hue(username);
    this.part("link").href = `#comment-${id}`;
    this.part("edited").hidden = !edited;
    const time = this.part("time");
    if (time.getAttribute("datetime") !== created_at) time.setAttribute("datetime", created_at);
  },

  renderState() {
    const state = this.model.state();
    const { refusal } = this.model;
    this.el.dataset.state = state;
    this.el.hidden = state === "deleting";
    this.note(
      refusal ? `${REFUSED[refusal.act]} ${refusal.problem.message}` : (NOTES[state] ?? ""),
    );
  },

  renderActions() {
    const unsent = this.model.isNew();
    const busy = this.model.pending || this.editor;
    this.part("actions").hidden = Boolean(busy) || !this.model.get("current_user_can_edit");
    this.part("retry").hidden = !unsent;
    this.part("discard").hidden = !unsent;
    this.part("delete").hidden = unsent;
  },

  note(text) {
    this.part("note").textContent = text;
    this.part("note").hidden = text === "" || Boolean(this.editor);
  },

  // Editing

  edit() {
    this.open(this.model.refusal?.body ?? this.model.get("body"), this.model.refusal?.problem);
    this.editor.focus();
  },

  open(body, problem) {
    this.editor = new EditorView({ model: this.model, body, problem });
    this.listenTo(this.editor, "save", this.save);
    this.listenTo(this.editor, "cancel", this.cancel);
    this.part("body").hidden = true;
    this.part("body").after(this.editor.el);
    this.render();
  },

  close() {
    const hadFocus = this.editor.el.contains(document.activeElement);
    this.editor.remove();
    this.editor = null;
    this.part("body").hidden = false;
    this.render();
    if (hadFocus) this.el.focus({ preventScroll: true });
  },

  save(body, seq) {
    this.close();
    if (body !== this.model.get("body") || this.model.isNew()) this.model.edit(body, seq);
    else this.model.stand(null, null);
  },

  cancel() {
    this.close();
    if (this.isGone) this.trigger("closed", this);
    else if (!this.model.isNew()) this.model.stand(null, null);
  },

  // A refused text goes back where it was written, beside the reason.
  refused() {
    const { refusal } = this.model;
    if (refusal?.act !== "edit" || this.editor) return;
    this.open(refusal.body, refusal.problem);
    const elsewhere = document.activeElement?.closest("form");
    if (!elsewhere) this.editor.focus();
  },

  // The request seemed to fail, and then the stream brought just that text.
  settled() {
    const done = this.editor?.problem && this.model.state() === "settled";
    if (done && this.editor.field().value === this.model.get("body")) this.close();
  },

  /** The comment was deleted while its editor is open: the text stays until the person closes it. */
  gone() {
    this.isGone = true;
    this.stopListening(this.model);
    this.editor.gone();
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
    this.trigger("leaving");
    this.model.remove();
  },

  confirm(asking) {
    this.part("confirm").hidden = !asking;
    this.part("choices").hidden = asking;
  },

  key(event) {
    if (event.key === "Escape") this.keep();
  },

  // What could not be posted

  retry() {
    this.model.post();
  },

  discard() {
    this.model.collection.remove(this.model);
  },
});

// The same person has the same tint everywhere.
const hue = (name) =>
  Array.from(name).reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) % HUES;
