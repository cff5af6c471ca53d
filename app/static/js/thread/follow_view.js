import { AUTH_DIALOG_WANTED, FOLLOW_MENU_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { Menu } from "../ui/menu.js";

const URLS = { followed: "/api/followed_conversations", muted: "/api/muted_conversations" };
const WORDS = { followed: "Following", muted: "Muted", usual: "Follow" };
const SAID = {
  followed: "We email you about each new comment.",
  muted: "We don't email you about this conversation.",
  usual: "We email you about replies and mentions only.",
};

// A follower gets no email about what was read here. New comments are reported after a random time, because thousands
// of followers may have the page open.
const FIRST_READ_MS = 5_000;
const MIN_READ_MS = 30_000;
const MAX_READ_MS = 60_000; // shorter than the server waits before it sends mail

/**
 * @typedef {{
 *   collection: Parley.Comments, page: any, menu: Menu, button: any, mails: any, readUpto: number, timer: any,
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
  },

  initialize({ page }) {
    this.menu = new Menu("follow-menu");
    this.button = this.part("button");
    this.setMails(this.account.id === page.user?.id ? page.mails : null);
    this.readUpto = 0;
    this.listenTo(this.account, "change:id", this.forget);
    this.listenTo(this.bus, FOLLOW_MENU_WANTED, this.want);
    this.listenTo(this.collection, "update", () =>
      this.readLater(between(MIN_READ_MS, MAX_READ_MS)),
    );
    document.addEventListener("visibilitychange", () => this.readLater(FIRST_READ_MS));
  },

  forget() {
    this.menu.close();
    this.setMails(null);
  },

  setMails(mails) {
    this.mails = mails;
    this.button.textContent = WORDS[mails ?? "usual"];
    for (const item of this.menu.items()) {
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
    const { isOpen } = this.menu;
    this.menu.close();
    if (how === "open" || !isOpen) await this.open();
  },

  async open() {
    this.menu.open(this.button);
    await this.attempt(() => this.readMails());
    const items = this.menu.items();
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
    this.menu.closeAndFocusButton();
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

  part(name) {
    return (
      ComponentView.prototype.part.call(this, name) ??
      this.menu.el.querySelector(`.follow__${name}`)
    );
  },
});

const between = (least, most) => least + Math.random() * (most - least);
