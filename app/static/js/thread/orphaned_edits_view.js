import {
  DISCARD_WANTED,
  DRAFTS_CHANGED,
  DRAFTS_ERASED,
  EDIT_ORPHANED,
  RECORD_CHANGED,
  WINDOW_CHANGED,
} from "../core/events.js";
import { Problem } from "../core/problem.js";
import { request } from "../core/sync.js";
import { REPLY } from "../outbox/drafts.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { OrphanedEditView } from "./orphaned_edit_view.js";

const NOT_FOUND = 404;
const UUID = /^[0-9a-f-]{36}$/;

const WORDS = {
  edit: {
    deleted: "Unsaved changes to a comment that was deleted.",
    elsewhere: "Unsaved changes to a comment that is not shown here.",
  },
  reply: {
    deleted: "Unsent reply to a comment that was deleted.",
    elsewhere: "Unsent reply to a comment that is not shown here.",
  },
};
const CLOSED = "Unsent comment. Comments are closed.";

/**
 * @typedef {{
 *   list: HTMLElement,
 *   collection: Parley.Comments,
 *   records: Map<string, any>,
 *   texts: Map<string, any>,
 *   asked: any,
 *   drafts: Parley.Drafts,
 *   account: Parley.Account,
 *   bus: Backbone.Events,
 * }} Fields
 */

/**
 * Shows, above the composer, this person's unsent texts that have no field here (orphaned_edit_view.js):
 *
 * 1. An edit that the server refused, if its comment is not here: a record of the outbox ("orphan").
 * 2. A draft of a reply or an edit, if its comment was deleted or is not loaded. The server tells which.
 * 3. The composer's draft, while the conversation is closed to this person.
 *
 * `el` is the thread's section. Options: `bus`, `account`, `drafts`.
 */
export const OrphanedEditsView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ bus, account, drafts }) {
    Object.assign(this, { bus, account, drafts });
    this.list = this.el.querySelector(".thread__list");
    this.records = new Map(); // the outbox's key of a record → its view
    this.texts = new Map(); // a draft's key → its view; null while its comment is being looked up, or if it is on another page
    this.asked = new Map(); // the id of a comment that is not here → a promise of its topic
    const { outbox, commentable } = this.collection;
    this.listenTo(this.collection, EDIT_ORPHANED, this.keepRecord);
    this.listenTo(outbox, RECORD_CHANGED, this.changed);
    this.listenTo(this.collection, `update ${WINDOW_CHANGED}`, this.look);
    this.listenTo(account, "change:id change:role", this.look);
    if (drafts) this.listenTo(drafts, `${DRAFTS_ERASED} ${DRAFTS_CHANGED}`, this.look);
    if (commentable) this.listenTo(commentable, "change:locked", this.look);
    this.look();
  },

  // -- (1)

  // If the comment is here, its editor has the text.
  keepRecord(record) {
    const { type, key, problem, attrs } = record;
    const isShown = this.records.has(key) || this.el.querySelector(`#comment-${key}`);
    if (isShown) return;
    const view = this.show({
      why: `Couldn't save your changes. ${problem.message}`,
      text: attrs.body,
    });
    this.listenTo(view, DISCARD_WANTED, () => this.collection.outbox.discard(type, key));
    this.records.set(key, view);
  },

  // The record was discarded, here or in another tab.
  changed(type, key, record) {
    if (type !== this.collection.type || record !== null) return;
    this.hide(this.records, key);
  },

  // -- (2) and (3)

  // There are few drafts, and nearly always none.
  look() {
    const wanted = this.wanted();
    const keys = wanted.map(({ key }) => key);
    for (const key of [...this.texts.keys()]) if (!keys.includes(key)) this.hide(this.texts, key);
    for (const draft of wanted) if (!this.texts.has(draft.key)) this.keepDraft(draft);
  },

  wanted() {
    if (!this.drafts) return [];
    const { topic, commentable } = this.collection;
    const isClosed = commentable?.isClosedTo(this.account) ?? false;
    const isWanted = (draft) => (draft.place === topic ? isClosed : this.isHomeless(draft));
    return this.drafts.all().filter(isWanted);
  },

  isHomeless({ place, topic }) {
    const id = commentOf(place);
    const isHere = topic === null || topic === this.collection.topic;
    return UUID.test(id) && isHere && !this.el.querySelector(`#comment-${id}`);
  },

  async keepDraft(draft) {
    const { key, place } = draft;
    this.texts.set(key, null); // its comment is being looked up
    const said = place === this.collection.topic ? { why: CLOSED } : await this.words(draft);
    if (said === null || this.texts.get(key) !== null) return;
    const now = this.wanted().find((other) => other.key === key);
    if (!now) return this.hide(this.texts, key);
    const view = this.show({ ...said, text: now.body });
    this.listenTo(view, DISCARD_WANTED, () => this.drafts.discard(now)); // "changed" hides it
    this.texts.set(key, view);
  },

  // Null if the comment belongs to another page.
  async words({ place, topic }) {
    const id = commentOf(place);
    const words = WORDS[place.startsWith(REPLY) ? "reply" : "edit"];
    const where = await this.find(id);
    if (where === null) return { why: words.deleted };
    if ((topic ?? where) !== this.collection.topic) return null;
    return { why: words.elsewhere, href: `#comment-${id}` };
  },

  // A promise of the comment's topic: null if there is no such comment, undefined if the server does not answer.
  find(id) {
    if (this.collection.gone.has(id)) return Promise.resolve(null);
    if (!this.asked.has(id)) this.asked.set(id, this.ask(id));
    return this.asked.get(id);
  },

  async ask(id) {
    const url = `${_.result(this.collection, "url")}${id}`;
    try {
      const { commentable_type, commentable_id } = await request("read", this.collection, { url });
      this.asked.delete(id); // it may be deleted later
      return `${commentable_type}/${commentable_id}`;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.asked.delete(id);
      return problem.status === NOT_FOUND ? null : undefined;
    }
  },

  // -- the views

  show(said) {
    const view = new OrphanedEditView({ bus: this.bus, ...said });
    keepScrollPosition(this.list, () => this.el.querySelector(".thread__kept").append(view.el));
    return view;
  },

  hide(views, key) {
    const view = views.get(key);
    views.delete(key);
    if (!view) return;
    this.stopListening(view);
    const hadFocus = view.el.contains(document.activeElement);
    keepScrollPosition(this.list, () => view.remove());
    if (hadFocus) this.el.querySelector(".thread__heading").focus({ preventScroll: true });
  },
});

const commentOf = (place) => (place.startsWith(REPLY) ? place.slice(REPLY.length) : place);
