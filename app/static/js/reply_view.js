import { ComposerView } from "./composer_view.js";
import { isolated } from "./isolated.js";
import { fromTemplate } from "./template.js";

const GONE = "This comment was deleted while you were writing. You can still copy your text.";

/** What the draft of a reply is kept under, beside a comment's own id, which is its editor's. */
export const REPLY = "reply:";

/**
 * Where a reply is written, under the comment that it answers (`parent`). Triggers "close" (the reply, or null when
 * there is none).
 */
export const ReplyView = ComposerView.extend({
  events() {
    return { ...ComposerView.prototype.events, "click .reply__cancel": "cancel" };
  },

  initialize(options) {
    this.parent = options.parent;
    this.setElement(fromTemplate("reply"));
    ComposerView.prototype.initialize.call(this, options);
  },

  place() {
    return `${REPLY}${this.parent.id}`;
  },

  render() {
    ComposerView.prototype.render.call(this);
    const name = this.parent.get("username");
    this.field().setAttribute("aria-label", `Your reply to ${isolated(name)}`);
    if (this.account.isSignedIn()) this.el.querySelector(".composer__post").textContent = "Reply";
  },

  focus() {
    this.field().focus({ preventScroll: true });
  },

  compose(body) {
    return this.collection.compose(body, this.account, this.parent);
  },

  hasText() {
    return this.field().value.trim() !== "";
  },

  /** What it answers is no more: nothing can be posted, nothing is thrown away. */
  gone() {
    this.stopListening();
    this.el.querySelector(".composer__post").hidden = true;
    this.el.querySelector(".reply__cancel").textContent = "Close";
    this.el.querySelector(".composer__hint").textContent = GONE;
  },

  posted(comment) {
    this.trigger("close", comment);
  },

  cancel() {
    this.draft?.drop();
    this.trigger("close", null);
  },

  key(event) {
    const gaveUp = event.key === "Escape" && this.field().value.trim() === "";
    if (gaveUp && !event.originalEvent.isComposing) this.cancel();
    else ComposerView.prototype.key.call(this, event);
  },
});
