import {
  AUTH_DIALOG_WANTED,
  MENU_WANTED,
  MODERATION_DIALOG_WANTED,
  REPORT_DIALOG_WANTED,
} from "../core/events.js";
import { copyText } from "../ui/clipboard.js";
import { ComponentView } from "../ui/component_view.js";
import { Menu } from "../ui/menu.js";

const ABOUT_AUTHOR = ["mute", "block", "appoint"];
const OWNER_ACTS = ["appoint", "erase"];
const COPY_LINK = "Copy link";
const COPIED_MS = 1_200; // how long "Link copied" is shown

/** @typedef {{ menu: Menu }} Fields */

/**
 * The menu of a comment. Everybody can copy its link, and report another person's comment or mute its author.
 * Moderators can hide or restore it and block its author. Owners can also erase it and give its author a role. The
 * whole thread has one menu, which opens beside the button that was pressed (menu_button_view.js). `el` is the thread's
 * section.
 */
export const MenuView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  events: {
    "click .menu__item": "choose",
  },

  initialize() {
    this.menu = new Menu("menu");
    this.listenTo(this.account, "change", () => this.menu.close());
    this.listenTo(this.bus, MENU_WANTED, this.openOrClose);
  },

  openOrClose(button, how) {
    const isOpen = this.menu.button === button && this.menu.isOpen;
    this.menu.close();
    if (how === "open" || !isOpen) this.open(button);
  },

  open(button) {
    const comment = this.commentAt(button);
    if (!comment) return;
    const { el } = this.menu;
    el.querySelector(".menu__address")?.remove();
    for (const item of el.querySelectorAll(".menu__item"))
      item.hidden = !this.offers(item.dataset.act, comment);
    this.menu.open(button);
    this.menu.items()[0].focus({ preventScroll: true });
    el.scrollIntoView({ block: "nearest" });
  },

  offers(act, comment) {
    if (act === "link") return true;
    if (comment.get("current_user_can_edit")) return false;
    if (act === "report") return !comment.get("hidden");
    if (act === "mute") return this.account.isSignedIn();
    if (!this.account.isModerator()) return false;
    if (OWNER_ACTS.includes(act)) return this.account.isOwner();
    if (act === "block") return true;
    return (act === "restore") === comment.get("hidden");
  },

  commentAt(part) {
    return this.collection.get(part.closest("[data-comment-id]")?.dataset.commentId);
  },

  choose({ delegateTarget: item }) {
    const comment = this.commentAt(this.menu.button);
    if (item.dataset.act === "link") return this.copyLink(item);
    this.menu.closeAndFocusButton(); // a dialog gives the focus back to the button
    if (comment) this.perform(item.dataset.act, comment);
  },

  perform(act, comment) {
    const { id, user_id: userId, username: name } = comment.attributes;
    if (ABOUT_AUTHOR.includes(act))
      this.bus.trigger(MODERATION_DIALOG_WANTED, act, { id: userId, name });
    else if (act !== "report") this.bus.trigger(MODERATION_DIALOG_WANTED, act, { id });
    else this.report(comment);
  },

  // The menu stays open until it has shown the result.
  async copyLink(item) {
    const { button } = this.menu;
    const address = addressOf(button.closest("[data-comment-id]").querySelector(".comment__link"));
    if (!(await copyText(address))) return this.showLink(item, address);
    this.announce("Link copied.");
    item.textContent = "Link copied";
    setTimeout(() => {
      item.textContent = COPY_LINK;
      if (this.menu.button === button && this.menu.isOpen) this.closeAfterCopy();
    }, COPIED_MS);
  },

  // The clipboard is not available: show the link in a field, so that people can copy it themselves.
  showLink(item, address) {
    const field = document.createElement("input");
    Object.assign(field, { className: "menu__address", readOnly: true, value: address });
    field.setAttribute("aria-label", "Link to this comment");
    item.hidden = true;
    item.after(field);
    field.select();
  },

  closeAfterCopy() {
    if (this.menu.el.contains(document.activeElement)) this.menu.closeAndFocusButton();
    else this.menu.close();
  },

  report(comment) {
    const act = () =>
      this.offers("report", comment) && this.bus.trigger(REPORT_DIALOG_WANTED, comment);
    if (this.account.isSignedIn()) act();
    else this.bus.trigger(AUTH_DIALOG_WANTED, "signin", { to: "report this comment", act });
  },
});

// In an iframe, the link leads to the comment in the host's page (host.js); otherwise, to the thread's own page.
function addressOf(link) {
  if (link.target === "_top") return link.href;
  const { origin, pathname } = window.location;
  const page = document.querySelector("link[rel=canonical]")?.href ?? origin + pathname;
  return page + link.hash;
}
