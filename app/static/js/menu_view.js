import { DECISION_WANTED, ENTRY_WANTED, REPORT_WANTED } from "./events.js";
import { fromTemplate } from "./template.js";

const ABOUT_AUTHOR = ["block", "appoint"];
const OWNERS_ACTS = ["appoint", "erase"];
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/**
 * What one can do about a comment that is not one's own: report it; for moderators, hide or restore it and block its
 * author; for owners, erase it and give its author a role. One menu for the whole thread: it stands beside the button that opened it. `el` is the thread's section.
 */
export const MenuView = Backbone.View.extend({
  events: {
    "click .comment__more": "toggle",
    "keydown .comment__more": "enter",
    "click .menu__item": "choose",
    "keydown .menu": "key",
    "focusout .menu": "leave",
  },

  /** `collection`: the thread's comments. */
  initialize({ bus, account }) {
    Object.assign(this, { bus, account });
    this.menu = fromTemplate("menu");
    this.button = null;
    this.onPress = (event) => this.isOutside(event.target) && this.close();
    this.listenTo(account, "change", () => this.close());
  },

  toggle({ currentTarget: button }) {
    const isOpen = this.button === button && this.menu.isConnected;
    this.close();
    if (!isOpen) this.open(button);
  },

  enter(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    this.close();
    this.open(event.currentTarget);
  },

  open(button) {
    const comment = this.commentAt(button);
    if (!comment) return;
    this.button = button;
    for (const item of this.menu.children) item.hidden = !this.offers(item.dataset.act, comment);
    button.setAttribute("aria-expanded", "true");
    button.after(this.menu);
    document.addEventListener("pointerdown", this.onPress);
    this.items()[0].focus({ preventScroll: true });
    this.menu.scrollIntoView({ block: "nearest" });
  },

  offers(act, comment) {
    if (act === "report") return !comment.get("hidden");
    if (!this.account.isModerator()) return false;
    if (OWNERS_ACTS.includes(act)) return this.account.isOwner();
    if (act === "block") return true;
    return (act === "restore") === comment.get("hidden");
  },

  commentAt(part) {
    return this.collection.get(part.closest("[data-comment-id]")?.dataset.commentId);
  },

  items() {
    return Array.from(this.menu.children).filter((item) => !item.hidden);
  },

  choose({ currentTarget: item }) {
    const comment = this.commentAt(this.button);
    this.close();
    this.button.focus({ preventScroll: true }); // where the dialog leads back to
    if (comment) this.act(item.dataset.act, comment);
  },

  act(act, comment) {
    const { id, user_id: userId, username: name } = comment.attributes;
    if (ABOUT_AUTHOR.includes(act)) this.bus.trigger(DECISION_WANTED, act, { id: userId, name });
    else if (act !== "report") this.bus.trigger(DECISION_WANTED, act, { id });
    else if (this.account.isSignedIn()) this.bus.trigger(REPORT_WANTED, comment);
    else this.bus.trigger(ENTRY_WANTED, "signin");
  },

  key(event) {
    const items = this.items();
    const at = items.indexOf(document.activeElement);
    if (event.key in STEPS) items.at((at + STEPS[event.key]) % items.length).focus();
    else if (event.key === "Home") items[0].focus();
    else if (event.key === "End") items.at(-1).focus();
    else if (event.key === "Escape") this.giveBack();
    else return;
    event.preventDefault();
  },

  giveBack() {
    this.close();
    this.button.focus({ preventScroll: true });
  },

  // Tab leads out of it.
  leave({ relatedTarget }) {
    if (relatedTarget && this.isOutside(relatedTarget)) this.close();
  },

  isOutside(element) {
    return !this.menu.contains(element) && !this.button.contains(element);
  },

  close() {
    document.removeEventListener("pointerdown", this.onPress);
    this.button?.setAttribute("aria-expanded", "false");
    this.menu.remove();
  },
});
