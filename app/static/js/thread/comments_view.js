import {
  ANCESTORS_CHANGED,
  COMMENTS_ARRIVED,
  FOCUS_LOST,
  OUTBOX_VOLATILE,
  REPLY_POSTED,
  SAVE_STATE_CHANGED,
  VIEW_FINISHED,
  WINDOW_CHANGED,
} from "../core/events.js";
import { REPLY } from "../outbox/drafts.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { CommentView } from "./comment_view.js";
import { DeletedCommentView } from "./deleted_comment_view.js";
import { PillView } from "./pill_view.js";
import { keyOf, Tree } from "./tree.js";

/**
 * @typedef {{
 *   drafts: Parley.Drafts | null,
 *   likes: Parley.Likes | null,
 *   desk: Parley.Desk,
 *   bus: Backbone.Events,
 *   account: Parley.Account,
 *   collection: Parley.Comments,
 *   list: HTMLElement,
 *   tree: import("./tree.js").Tree,
 *   pill: any,
 *   views: Map<string, any>,
 *   remains: Map<string, any>,
 *   newest: number,
 * }} Fields
 */

/** The list, its heading and the pill. `el` is the thread's section. */
export const CommentsView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ bus, account, drafts = null, presence = null, likes = null }) {
    this.drafts = drafts;
    this.likes = likes;
    this.desk = { bus, account, drafts, presence };
    this.bus = bus;
    this.account = account;
    this.list = this.el.querySelector(".thread__list");
    this.tree = new Tree(this.list);
    this.pill = new PillView({ el: this.el.querySelector(".pill") });
    this.views = new Map(); // of comments
    this.remains = new Map(); // of what is left of some
    this.listenTo(this.collection, "update", this.update);
    this.listenTo(this.collection, "change:created_seq", this.move);
    this.listenTo(this.collection, "change:username", this.rename);
    this.listenTo(this.collection, `${ANCESTORS_CHANGED} ${WINDOW_CHANGED}`, this.renderRemains);
    this.listenTo(
      this.collection,
      `update ${SAVE_STATE_CHANGED} ${WINDOW_CHANGED}`,
      this.renderSummary,
    );
    const { commentable } = this.collection;
    if (commentable) this.listenTo(commentable, "change:comments_count", this.renderSummary);
    this.listenTo(account, "change:id", this.resume);
    this.listenTo(bus, OUTBOX_VOLATILE, this.warn);
    this.adopt();
    this.newest = this.newestSeq();
    this.renderSummary();
    this.resume();
  },

  // The page came with the newest comments in it: those elements are taken over, not made again.
  adopt() {
    const rendered = /** @type {HTMLElement[]} */ (Array.from(this.list.children));
    const idOf = ({ dataset }) => dataset.commentId ?? dataset.goneId;
    const elements = new Map(rendered.map((element) => [idOf(element), element]));
    for (const [id, state] of this.collection.gone) {
      this.tree.adopt(this.makeRemains(state, elements.get(id)), this.keyOfState(state));
    }
    this.collection.each((comment) => {
      this.tree.adopt(this.make(comment, elements.get(comment.id)), this.keyOf(comment));
    });
    this.tree.arrange();
  },

  make(comment, element) {
    const { desk, likes } = this;
    const view = new CommentView({ model: comment, element, desk, likes });
    this.listenTo(view, VIEW_FINISHED, this.forget);
    this.listenTo(view, FOCUS_LOST, this.takeFocus);
    this.listenTo(view, REPLY_POSTED, this.bring);
    this.views.set(comment.id, view);
    return view;
  },

  makeRemains(state, element) {
    const view = new DeletedCommentView({ state, element });
    this.remains.set(state.id, view);
    return view;
  },

  show(comment) {
    this.make(comment);
    this.place(comment);
    this.gather(comment.id);
  },

  move(comment) {
    keepScrollPosition(this.list, () => {
      this.place(comment);
      this.gather(comment.id);
    });
  },

  place(comment) {
    const view = this.views.get(comment.id);
    if (view) this.tree.place(view, this.keyOf(comment));
  },

  // What was here before the comment that it replies to has its place below that now, and says whom it answers.
  gather(id) {
    for (const reply of this.collection.under.get(id) ?? []) {
      this.place(reply);
      this.views.get(reply.id)?.renderAnswered();
    }
  },

  rename(comment) {
    const replies = this.collection.where({ parent_id: comment.id });
    for (const reply of replies) this.views.get(reply.id)?.renderAnswered();
  },

  keyOf(comment) {
    return this.keyOfState({ path: comment.path(), created_seq: comment.get("created_seq") });
  },

  keyOfState({ path, created_seq: seq }) {
    return keyOf(path, seq, (id) => this.collection.seqOf(id));
  },

  update(_, { changes, asked = false }) {
    const { removed } = changes;
    const added = changes.added.filter(({ id }) => this.collection.get(id)); // it may have been for a moment
    keepScrollPosition(this.list, () => {
      for (const comment of removed) this.drop(comment);
      for (const comment of added) this.show(comment);
      this.renderRemains();
    });
    requestAnimationFrame(() => this.reveal(added)); // after what moves in this frame
    if (!asked) this.welcome(added.filter((comment) => comment.get("created_seq") > this.newest));
    this.newest = this.newestSeq();
    this.resumeAt(added);
    this.pill.scheduleUpdate();
  },

  // Of those that are gone, and still have something drawn under them.
  renderRemains() {
    const { gone } = this.collection;
    const [over, missing] = [
      [...this.remains.keys()].filter((id) => !gone.has(id)),
      [...gone.values()].filter(({ id }) => !this.remains.has(id)),
    ];
    for (const [id, view] of this.remains) if (gone.has(id)) view.show(gone.get(id));
    if (over.length + missing.length === 0) return;
    keepScrollPosition(this.list, () => {
      for (const id of over) this.forgetRemains(id);
      for (const state of missing) this.showRemains(state);
    });
  },

  showRemains(state) {
    this.tree.place(this.makeRemains(state), this.keyOfState(state));
    this.gather(state.id);
  },

  forgetRemains(id) {
    this.tree.remove(this.remains.get(id));
    this.remains.delete(id);
  },

  // What one has just written is seen at once; what only waits still, or comes from another tab, moves nothing.
  reveal(added) {
    const written = added.findLast((comment) => comment.isNew());
    const writing = document.hasFocus() && document.activeElement?.closest(".composer");
    if (written && writing) this.views.get(written.id)?.el.scrollIntoView({ block: "nearest" });
  },

  // The field in which a reply was written is closed: keys go on from the reply.
  bring(reply) {
    const element = this.views.get(reply.id)?.el;
    element?.focus({ preventScroll: true });
    requestAnimationFrame(() => element?.scrollIntoView({ block: "nearest" }));
  },

  // Those that are newer than all there were: neither what the page came with nor what was asked for.
  welcome(fresh) {
    const mine = (comment) => comment.get("user_id") === this.account.id;
    const [own, theirs] = [fresh.filter(mine), fresh.filter((comment) => !mine(comment))];
    for (const comment of own) this.views.get(comment.id).el.classList.add("is-new");
    for (const comment of theirs) this.pill.add(this.views.get(comment.id).el);
    if (theirs.length === 0) return;
    this.bus.trigger(COMMENTS_ARRIVED, theirs.length, theirs.at(-1).get("username"));
  },

  newestSeq() {
    return Math.max(0, ...this.collection.map((comment) => comment.get("created_seq") ?? 0));
  },

  // Replies that somebody was writing here when the page went away.
  resume() {
    this.resumeAt(this.collection.models);
  },

  // To these, and no others: the draft of what has just been posted is there a moment longer than its field.
  resumeAt(comments) {
    const places = this.drafts?.places(REPLY) ?? [];
    for (const { id } of places.length > 0 ? comments : []) {
      const view = places.includes(`${REPLY}${id}`) ? this.views.get(id) : null;
      if (view && !view.composer) keepScrollPosition(this.list, () => view.resumeReply());
    }
  },

  drop(comment) {
    const view = this.views.get(comment.id);
    if (!view) return;
    this.views.delete(comment.id);
    if (view.hasText() && this.collection.isInside(comment.attributes)) view.gone();
    else this.forget(view); // outside of what is loaded now, nobody has deleted it: its draft or record stays
  },

  forget(view) {
    const hadFocus = view.el.contains(document.activeElement);
    keepScrollPosition(this.list, () => this.tree.remove(view));
    if (hadFocus) this.takeFocus();
  },

  // What had the focus is no more; keys go on from the top of the thread.
  takeFocus() {
    this.el.querySelector(".thread__heading").focus({ preventScroll: true });
  },

  renderSummary() {
    const loaded = this.collection.count();
    const isAll = this.collection.before === null && this.collection.after === null;
    const count = isAll ? loaded : Math.max(loaded, this.collection.total() ?? 0);
    const atLeast = isAll || count > loaded ? "" : "more than ";
    const summary = this.el.querySelector(".thread__count");
    summary.textContent = count === 0 ? "" : `${atLeast}${counted(count)}`;
    summary.dataset.count = count;
    this.hide(".thread__empty", count > 0);
  },

  hide(selector, hidden) {
    const part = this.el.querySelector(selector);
    if (part.hidden === hidden) return;
    keepScrollPosition(this.list, () => {
      part.hidden = hidden;
    });
  },

  // It lies where there is room for it, so it moves nothing.
  warn() {
    this.el.querySelector(".thread__volatile").hidden = false;
  },
});

const counted = (count) => `${count} comment${count === 1 ? "" : "s"}`;
