import { AUTH_DIALOG_WANTED, FOLLOW_MENU_WANTED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { ComponentView } from "../ui/component_view.js";
import { isEscape } from "../ui/keys.js";

const URLS = { followed: "/api/followed_conversations", muted: "/api/muted_conversations" };
const WORDS = { followed: "Following", muted: "Muted", usual: "Follow" };
const SAID = {
  followed: "We email you about each new comment.",
  muted: "We don't email you about this conversation.",
  usual: "We email you about replies and mentions only.",
};
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

// A follower gets no email about what was read here. New comments are reported after a random time, because thousands
// of followers may have the page open.
const FIRST_READ_MS = 5_000;
const MIN_READ_MS = 30_000;
const MAX_READ_MS = 60_000; // shorter than the server waits before it sends mail

/**
 * @typedef {{
 *   collection: Parley.Comments, page: any, menu: any, button: any, mails: any, readUpto: number, timer: any,
 *   onPress: any, onShow: any,
 * }} Fields
 */

/**
 * The menu beside the thread's heading in which people follow or mute the conversation. While somebody follows it, this
 * also tells the server how far the page shows the conversation. `mails` is "followed", "muted" or "usual", or null if
 * it must be read first.
 */
export const FollowView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "follow",
  events: {
    "click .follow__item": "choose",
    "keydown .follow__menu": "handleKey",
    "focusout .follow__menu": "closeOnFocusOut",
  },

  initialize({ page }) {
    this.menu = fromTemplate("follow-menu");
    this.button = this.part("button");
    this.setMails(this.account.id === page.user?.id ? page.mails : null);
    this.readUpto = 0;
    this.onPress = (event) => this.el.contains(event.target) || this.close();
    this.listenTo(this.account, "change:id", this.forget);
    this.listenTo(this.bus, FOLLOW_MENU_WANTED, this.want);
    this.listenTo(this.collection, "update", () =>
      this.readLater(between(MIN_READ_MS, MAX_READ_MS)),
    );
    document.addEventListener("visibilitychange", () => this.readLater(FIRST_READ_MS));
  },

  forget() {
    this.close();
    this.setMails(null);
  },

  setMails(mails) {
    this.mails = mails;
    this.button.textContent = WORDS[mails ?? "usual"];
    for (const item of this.items()) {
      item.setAttribute("aria-checked", `${item.dataset.mails === mails}`);
    }
  },

  async want(how) {
    if (how === "read") return this.readLater(FIRST_READ_MS);
    if (!this.account.isSignedIn()) {
      const act = () => this.open();
      return this.bus.trigger(AUTH_DIALOG_WANTED, "signin", {
        to: "follow this conversation",
        act,
      });
    }
    const isOpen = this.menu.isConnected;
    this.close();
    if (how === "open" || !isOpen) await this.open();
  },

  async open() {
    this.el.append(this.menu);
    this.button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", this.onPress);
    await this.attempt(() => this.readMails());
    const items = this.items();
    (items.find((item) => item.dataset.mails === this.mails) ?? items[0]).focus({
      preventScroll: true,
    });
  },

  // After a sign-in in this page, the server's lists have the account's choice.
  async readMails() {
    if (this.mails) return this.setMails(this.mails);
    const { id } = this.account;
    const isHere = (each) => _.isMatch(each, this.place());
    let found = "usual";
    for (const [mails, url] of Object.entries(URLS)) {
      const { conversations } = await this.account.request("read", url);
      if (conversations.some(isHere)) found = mails;
    }
    if (id === this.account.id) this.setMails(found);
  },

  place() {
    return this.collection.place;
  },

  async choose({ delegateTarget: item }) {
    const { mails } = item.dataset;
    const problem = await this.attempt(() => this.save(mails));
    if (problem) return;
    this.setMails(mails);
    this.closeAndFocusButton();
    this.announce(SAID[mails]);
    if (mails === "followed") this.readLater(FIRST_READ_MS);
  },

  // Following ends a mute, and a mute ends following.
  async save(mails) {
    if (mails in URLS) return this.account.request("update", URLS[mails], this.place());
    const query = new URLSearchParams(this.place());
    for (const url of Object.values(URLS)) await this.account.request("delete", `${url}?${query}`);
  },

  readLater(ms) {
    if (this.timer || this.mails !== "followed" || document.visibilityState !== "visible") return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.reportRead();
    }, ms);
  },

  // If the request fails, the next comment or visit repeats it.
  async reportRead() {
    const upto = Math.max(0, ...this.collection.map((comment) => comment.get("created_seq") ?? 0));
    const isAtEnd = this.collection.after === null && document.visibilityState === "visible";
    if (this.mails !== "followed" || !isAtEnd || upto <= this.readUpto) return;
    try {
      await this.account.request("update", `${URLS.followed}/read`, { ...this.place(), upto });
      this.readUpto = upto;
    } catch {}
  },

  items() {
    return Array.from(this.menu.querySelectorAll(".follow__item"));
  },

  part(name) {
    return (
      ComponentView.prototype.part.call(this, name) ?? this.menu.querySelector(`.follow__${name}`)
    );
  },

  handleKey(event) {
    const items = this.items();
    const at = items.indexOf(document.activeElement);
    if (event.key in STEPS) items.at((at + STEPS[event.key]) % items.length).focus();
    else if (event.key === "Home") items[0].focus();
    else if (event.key === "End") items.at(-1).focus();
    else if (isEscape(event)) this.closeAndFocusButton();
    else return;
    event.preventDefault();
  },

  closeAndFocusButton() {
    this.close();
    this.button.focus({ preventScroll: true });
  },

  closeOnFocusOut({ relatedTarget }) {
    if (relatedTarget && !this.el.contains(relatedTarget)) this.close();
  },

  close() {
    document.removeEventListener("pointerdown", this.onPress);
    this.button.setAttribute("aria-expanded", "false");
    this.menu.remove();
  },
});

const between = (least, most) => least + Math.random() * (most - least);
