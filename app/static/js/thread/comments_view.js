import {
  ANCESTORS_CHANGED,
  COMMENTS_ARRIVED,
  OUTBOX_VOLATILE,
  SAVE_STATE_CHANGED,
  WINDOW_CHANGED,
} from "../core/events.js";
import { REPLY } from "../outbox/drafts.js";
import { counted } from "../ui/counted.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { CommentView } from "./comment_view.js";
import { DeletedCommentView } from "./deleted_comment_view.js";
import { PillView } from "./pill_view.js";
import { SectionView } from "./section_view.js";
import { keyOf, Tree } from "./tree.js";

/**
 * @typedef {{
 *   list: HTMLElement,
 *   tree: import("./tree.js").Tree,
 *   pill: any,
 *   views: Map<string, any>,
 *   placeholders: Map<string, any>,
 *   newest: number,
 * }} Fields
 */

/** The list of comments, its heading and the pill. `el` is the thread's section. */
export const CommentsView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  initialize() {
    this.list = this.part("list");
    this.tree = new Tree(this.list);
    this.pill = new PillView({ el: this.el.querySelector(".pill") });
    this.views = new Map(); // a comment's id → its view
    this.placeholders = new Map(); // a deleted ancestor's id → its view
    this.listenTo(this.collection, "update", this.update);
    this.listenTo(this.collection, "change:created_seq", this.move);
    this.listenTo(this.collection, "change:username", this.renderParentName);
    this.listenTo(
      this.collection,
      `${ANCESTORS_CHANGED} ${WINDOW_CHANGED}`,
      this.renderPlaceholders,
    );
    this.listenTo(
      this.collection,
      `update ${SAVE_STATE_CHANGED} ${WINDOW_CHANGED}`,
      this.renderSummary,
    );
    this.listenTo(this.collection.commentable, "change:comments_count", this.renderSummary);
    this.listenTo(this.account, "change:id", this.resume);
    this.listenTo(this.bus, OUTBOX_VOLATILE, this.showVolatile);
    this.adopt();
    this.newest = this.newestSeq();
    this.renderSummary();
    this.resume();
  },

  // The server rendered the newest comments. Their elements are used, not created again.
  adopt() {
    const rendered = /** @type {HTMLElement[]} */ (Array.from(this.list.children));
    const idOf = ({ dataset }) => dataset.commentId ?? dataset.goneId;
    const elements = new Map(rendered.map((element) => [idOf(element), element]));
    for (const [id, state] of this.collection.deletedAncestors) {
      this.tree.adopt(this.makePlaceholder(state, elements.get(id)), this.keyOfState(state));
    }
    this.collection.each((comment) => {
      this.tree.adopt(this.makeView(comment, elements.get(comment.id)), this.keyOf(comment));
    });
    this.tree.arrange();
  },

  makeView(comment, element) {
    const view = new CommentView({ model: comment, list: this, el: element, ...this.parts });
    this.views.set(comment.id, view);
    return view;
  },

  makePlaceholder(state, element) {
    const view = new DeletedCommentView({ state, el: element });
    this.placeholders.set(state.id, view);
    return view;
  },

  show(comment) {
    this.makeView(comment);
    this.place(comment);
    this.placeDescendants(comment.id);
  },

  move(comment) {
    keepScrollPosition(this.list, () => {
      this.place(comment);
      this.placeDescendants(comment.id);
    });
  },

  place(comment) {
    const view = this.views.get(comment.id);
    if (view) this.tree.place(view, this.keyOf(comment));
  },

  // Descendants that arrived before this comment move below it, and show the name of its author.
  placeDescendants(id) {
    for (const reply of this.collection.descendants.get(id) ?? []) {
      this.place(reply);
      this.views.get(reply.id)?.renderParent();
    }
  },

  renderParentName(comment) {
    const replies = this.collection.where({ parent_id: comment.id });
    for (const reply of replies) this.views.get(reply.id)?.renderParent();
  },

  keyOf(comment) {
    return this.keyOfState({ path: comment.path(), created_seq: comment.get("created_seq") });
  },

  keyOfState({ path, created_seq: seq }) {
    return keyOf(path, seq, (id) => this.collection.seqOf(id));
  },

  update(_, { changes, asked = false }) {
    const { removed } = changes;
    const added = changes.added.filter(({ id }) => this.collection.get(id)); // it may have been removed since
    keepScrollPosition(this.list, () => {
      for (const comment of removed) this.drop(comment);
      for (const comment of added) this.show(comment);
      this.renderPlaceholders();
    });
    requestAnimationFrame(() => this.scrollToOwn(added)); // after the other changes of this frame
    if (!asked) this.markNew(added.filter((comment) => comment.get("created_seq") > this.newest));
    this.newest = this.newestSeq();
    this.resumeReplies(added);
    this.pill.scheduleUpdate();
  },

  // One for each deleted ancestor.
  renderPlaceholders() {
    const { deletedAncestors: deleted } = this.collection;
    const [obsolete, missing] = [
      [...this.placeholders.keys()].filter((id) => !deleted.has(id)),
      [...deleted.values()].filter(({ id }) => !this.placeholders.has(id)),
    ];
    for (const [id, view] of this.placeholders) if (deleted.has(id)) view.show(deleted.get(id));
    if (obsolete.length + missing.length === 0) return;
    keepScrollPosition(this.list, () => {
      for (const id of obsolete) this.removePlaceholder(id);
      for (const state of missing) this.showPlaceholder(state);
    });
  },

  showPlaceholder(state) {
    this.tree.place(this.makePlaceholder(state), this.keyOfState(state));
    this.placeDescendants(state.id);
  },

  removePlaceholder(id) {
    this.tree.remove(this.placeholders.get(id));
    this.placeholders.delete(id);
  },

  // The page scrolls to a comment that a person has just written here, but not to an unsent one that was loaded or came
  // from another tab.
  scrollToOwn(added) {
    const written = added.findLast((comment) => comment.isNew());
    const writing = document.hasFocus() && document.activeElement?.closest(".composer");
    if (written && writing) this.views.get(written.id)?.el.scrollIntoView({ block: "nearest" });
  },

  focusReply(reply) {
    const element = this.views.get(reply.id)?.el;
    element?.focus({ preventScroll: true });
    requestAnimationFrame(() => element?.scrollIntoView({ block: "nearest" }));
  },

  // `fresh`: comments that are newer than all loaded ones. Comments of the first page, or that the reader loaded, are
  // not.
  markNew(fresh) {
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

  // Open the replies that this person was writing when the page was closed.
  resume() {
    this.resumeReplies(this.collection.models);
  },

  // Only replies to these comments: the draft of a posted reply exists a moment longer than its field.
  resumeReplies(comments) {
    const places = this.drafts.all().map(({ place }) => place);
    for (const { id } of places.length > 0 ? comments : []) {
      const view = places.includes(`${REPLY}${id}`) ? this.views.get(id) : null;
      if (view && !view.composer) keepScrollPosition(this.list, () => view.resumeReply());
    }
  },

  drop(comment) {
    const view = this.views.get(comment.id);
    if (!view) return;
    this.views.delete(comment.id);
    if (view.hasText() && this.collection.isInside(comment.attributes)) view.showDeleted();
    else this.removeView(view); // outside of the loaded window, it is not deleted: its draft or record stays
  },

  removeView(view) {
    const hadFocus = view.el.contains(document.activeElement);
    keepScrollPosition(this.list, () => this.tree.remove(view));
    if (hadFocus) this.focusHeading();
  },

  renderSummary() {
    const loaded = this.collection.count();
    const isAll = this.collection.before === null && this.collection.after === null;
    const count = isAll ? loaded : Math.max(loaded, this.collection.total() ?? 0);
    const atLeast = isAll || count > loaded ? "" : "more than ";
    const summary = this.part("count");
    summary.textContent = count === 0 ? "" : `${atLeast}${counted(count, "comment")}`;
    summary.dataset.count = count;
    this.setHidden({ empty: count > 0 });
  },

  // The page has room for this warning, so nothing moves.
  showVolatile() {
    this.part("volatile").hidden = false;
  },
});
