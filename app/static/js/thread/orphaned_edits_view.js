import {
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
import { SectionView } from "./section_view.js";

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
 *   records: Map<string, any>,
 *   texts: Map<string, any>,
 *   lookups: any,
 * }} Fields
 */

/**
 * Shows, above the composer, this person's unsent texts that have no field here (orphaned_edit_view.js):
 *
 * 1. An edit that the server refused, if its comment is not here: a record of the outbox ("orphan").
 * 2. A draft of a reply or an edit, if its comment was deleted or is not loaded. The server knows which.
 * 3. The composer's draft, while the conversation is closed to this person.
 *
 * `el` is the thread's section.
 */
export const OrphanedEditsView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  initialize() {
    this.list = this.part("list");
    this.records = new Map(); // the outbox's key of a record → its view
    // A draft's key → its view; null while its comment is being looked up, or if the comment is on another page.
    this.texts = new Map();
    this.lookups = new Map(); // the id of a comment that is not loaded → a promise of its topic
    this.listenTo(this.collection, EDIT_ORPHANED, this.showRecord);
    this.listenTo(this.outbox, RECORD_CHANGED, this.hideRecord);
    this.listenTo(this.collection, `update ${WINDOW_CHANGED}`, this.update);
    this.listenTo(this.account, "change:id change:role", this.update);
    this.listenTo(this.drafts, `${DRAFTS_ERASED} ${DRAFTS_CHANGED}`, this.update);
    this.listenTo(this.collection.commentable, "change:locked", this.update);
    this.update();
  },

  // -- (1)

  // If the comment is here, its editor has the text.
  showRecord(record) {
    const { type, key, problem, attrs } = record;
    const isShown = this.records.has(key) || this.el.querySelector(`#comment-${key}`);
    if (isShown) return;
    const view = this.show({
      why: `Couldn't save your changes. ${problem.message}`,
      text: attrs.body,
      discard: () => this.outbox.discard(type, key),
    });
    this.records.set(key, view);
  },

  // The record was discarded, here or in another tab.
  hideRecord(type, key, record) {
    if (type !== this.collection.type || record !== null) return;
    this.hide(this.records, key);
  },

  // -- (2) and (3)

  update() {
    const wanted = this.orphanedDrafts();
    const keys = wanted.map(({ key }) => key);
    for (const key of [...this.texts.keys()]) if (!keys.includes(key)) this.hide(this.texts, key);
    for (const draft of wanted) if (!this.texts.has(draft.key)) this.showDraft(draft);
  },

  orphanedDrafts() {
    const { topic } = this.collection;
    const isClosed = this.collection.isClosedTo(this.account);
    const isOrphaned = (draft) => (draft.place === topic ? isClosed : this.hasNoField(draft));
    return this.drafts.all().filter(isOrphaned);
  },

  hasNoField({ place, topic }) {
    const id = commentOf(place);
    const isHere = topic === null || topic === this.collection.topic;
    return UUID.test(id) && isHere && !this.el.querySelector(`#comment-${id}`);
  },

  async showDraft(draft) {
    const { key, place } = draft;
    this.texts.set(key, null); // its comment is being looked up
    const reason = place === this.collection.topic ? { why: CLOSED } : await this.reason(draft);
    if (reason === null || this.texts.get(key) !== null) return;
    const current = this.orphanedDrafts().find((other) => other.key === key);
    if (!current) return this.hide(this.texts, key);
    const discard = () => this.drafts.discard(current); // DRAFTS_CHANGED hides it
    const view = this.show({ ...reason, text: current.body, discard });
    this.texts.set(key, view);
  },

  // Why it has no field here, and its comment's link. Null if the comment belongs to another page.
  async reason({ place, topic }) {
    const id = commentOf(place);
    const words = WORDS[place.startsWith(REPLY) ? "reply" : "edit"];
    const found = await this.findTopic(id);
    if (found === null) return { why: words.deleted };
    if ((topic ?? found) !== this.collection.topic) return null;
    return { why: words.elsewhere, href: `#comment-${id}` };
  },

  // A promise of the comment's topic: null if there is no such comment, undefined if the request fails.
  findTopic(id) {
    if (this.collection.deletedAncestors.has(id)) return Promise.resolve(null);
    if (!this.lookups.has(id)) this.lookups.set(id, this.requestTopic(id));
    return this.lookups.get(id);
  },

  async requestTopic(id) {
    const url = `${_.result(this.collection, "url")}${id}`;
    try {
      const { commentable_type, commentable_id } = await request("read", this.collection, { url });
      this.lookups.delete(id); // the comment may be deleted later
      return `${commentable_type}/${commentable_id}`;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.lookups.delete(id);
      return problem.status === NOT_FOUND ? null : undefined;
    }
  },

  // -- the views

  show(options) {
    const view = new OrphanedEditView({ ...options, ...this.parts });
    keepScrollPosition(this.list, () => this.part("kept").append(view.el));
    return view;
  },

  hide(views, key) {
    const view = views.get(key);
    views.delete(key);
    if (!view) return;
    const hadFocus = view.el.contains(document.activeElement);
    keepScrollPosition(this.list, () => view.remove());
    if (hadFocus) this.focusHeading();
  },
});

const commentOf = (place) => (place.startsWith(REPLY) ? place.slice(REPLY.length) : place);
