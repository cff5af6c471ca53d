import { REPLY } from "../outbox/drafts.js";
import { isolated } from "../ui/isolated.js";
import { isEscape } from "../ui/keys.js";
import { ComposerView } from "./composer_view.js";
import { idOf } from "./form_id.js";

const CLOSED = "Comments are closed. You can still copy your text.";
const DELETED = "This comment was deleted while you were writing. You can still copy your text.";

/** @typedef {{ parent: any }} Fields */

/** The form for a reply, below the CommentView `parent`. */
export const ReplyView = /** @type {BackboneClass<InstanceType<typeof ComposerView> & Fields>} */ (
  ComposerView
).extend({
  template: "reply",
  isDeleted: false,

  events() {
    return { ...ComposerView.prototype.events, "click .reply__cancel": "cancel" };
  },

  initialize({ parent }) {
    this.parent = parent;
    ComposerView.prototype.initialize.call(this);
  },

  place() {
    return `${REPLY}${this.parent.model.id}`;
  },

  render() {
    ComposerView.prototype.render.call(this);
    const name = this.parent.model.get("username");
    this.field().setAttribute("aria-label", `Your reply to ${isolated(name)}`);
    if (this.account.isSignedIn()) this.part("post").textContent = "Reply";
  },

  renderClosed() {
    ComposerView.prototype.renderClosed.call(this);
    const isClosed = this.isClosed();
    const note = this.el.querySelector(".reply__closed");
    note.textContent = isClosed ? CLOSED : "";
    note.hidden = !isClosed;
    this.part("hint").hidden = isClosed;
  },

  focus() {
    this.field().focus({ preventScroll: true });
  },

  compose(body) {
    return this.collection.compose(body, this.account, this.parent.model, idOf(this.formId, body));
  },

  /** The parent was deleted. The reply cannot be posted any more; its text stays until the person discards it. */
  showDeleted() {
    this.stopListening();
    this.isDeleted = true;
    this.part("post").hidden = true;
    this.el.querySelector(".reply__cancel").textContent = "Discard";
    this.part("hint").textContent = DELETED;
  },

  posted(comment) {
    this.parent.closeReply(comment);
  },

  // The text is put aside, unless the button says "Discard".
  cancel() {
    if (this.isDeleted || !this.hasText()) this.draft.remove();
    else this.draft.close();
    this.parent.closeReply(null);
  },

  handleKey(event) {
    if (isEscape(event) && !this.hasText()) this.cancel();
    else ComposerView.prototype.handleKey.call(this, event);
  },
});
