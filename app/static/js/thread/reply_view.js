import { FIELD_CLOSED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { REPLY } from "../outbox/drafts.js";
import { isolated } from "../ui/isolated.js";
import { isEscape } from "../ui/keys.js";
import { ComposerView } from "./composer_view.js";
import { idOf } from "./form_id.js";

const CLOSED = "Comments are closed. You can still copy your text.";
const GONE = "This comment was deleted while you were writing. You can still copy your text.";

/** @typedef {{ parent: Parley.Comment, isGone: boolean }} Fields */

/**
 * Where a reply is written, under the comment that it answers (`parent`). Triggers "close" (the reply, or null when
 * there is none).
 */
export const ReplyView = /** @type {BackboneClass<InstanceType<typeof ComposerView> & Fields>} */ (
  ComposerView
).extend({
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

  renderClosed() {
    ComposerView.prototype.renderClosed.call(this);
    const isClosed = this.isClosed();
    this.el.querySelector(".reply__closed").textContent = isClosed ? CLOSED : "";
    this.el.querySelector(".reply__closed").hidden = !isClosed;
    this.el.querySelector(".composer__hint").hidden = isClosed;
  },

  focus() {
    this.field().focus({ preventScroll: true });
  },

  compose(body) {
    return this.collection.compose(body, this.account, this.parent, idOf(this.formId, body));
  },

  /** What it answers is no more: nothing can be posted, nothing is thrown away. */
  gone() {
    this.stopListening();
    this.isGone = true;
    this.el.querySelector(".composer__post").hidden = true;
    this.el.querySelector(".reply__cancel").textContent = "Discard";
    this.el.querySelector(".composer__hint").textContent = GONE;
  },

  posted(comment) {
    this.trigger(FIELD_CLOSED, comment);
  },

  // The text is put aside, unless the button says "Discard".
  cancel() {
    if (this.isGone || !this.hasText()) this.draft?.drop();
    else this.draft?.close();
    this.trigger(FIELD_CLOSED, null);
  },

  key(event) {
    const isGivenUp = isEscape(event) && !this.hasText();
    if (isGivenUp) this.cancel();
    else ComposerView.prototype.key.call(this, event);
  },
});
