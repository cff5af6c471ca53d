import { CommentView } from "./comment_view.js";
import { ANNOUNCEMENT, COMMENTS_ARRIVED, OUTBOX_VOLATILE } from "./events.js";
import { KeptView } from "./kept_view.js";
import { PillView } from "./pill_view.js";
import { steadily } from "./steady.js";

/** The list, its heading, "load earlier" and the pill. `el` is the thread's section. */
export const CommentsView = Backbone.View.extend({
  events: { "click .thread__earlier": "loadEarlier" },

  initialize({ bus, account, drafts = null }) {
    this.drafts = drafts;
    this.bus = bus;
    this.account = account;
    this.list = this.el.querySelector(".thread__list");
    this.pill = new PillView({ el: this.el.querySelector(".pill") });
    this.views = new Map();
    this.listenTo(this.collection, "update", this.update);
    this.listenTo(this.collection, "change:created_seq", this.move);
    this.listenTo(this.collection, "update standing window", this.renderSummary);
    this.listenTo(this.collection, "window", this.renderEarlier);
    this.listenTo(this.collection, "orphan", this.keep);
    this.listenTo(bus, OUTBOX_VOLATILE, this.warn);
    this.adopt();
    this.newest = this.newestSeq();
    this.renderSummary();
    this.renderEarlier();
  },

  // The page came with the newest comments in it: those elements are taken over, not made again.
  adopt() {
    const rendered = Array.from(this.list.children);
    const elements = new Map(rendered.map((element) => [element.dataset.commentId, element]));
    this.collection.each((comment) => this.show(comment, elements.get(comment.id)));
  },

  show(comment, element) {
    const view = new CommentView({ model: comment, element, drafts: this.drafts });
    this.listenTo(view, "closed", this.forget);
    this.listenTo(view, "leaving", this.takeFocus);
    this.views.set(comment.id, view);
    this.place(comment);
    return view;
  },

  move(comment) {
    steadily(this.list, () => this.place(comment));
  },

  // Only the one that moved is touched: moving an element takes the focus out of it.
  place(comment) {
    const view = this.views.get(comment.id);
    const before = this.shownAfter(comment)?.el ?? null;
    if (view && (view.el.parentNode !== this.list || view.el.nextElementSibling !== before)) {
      this.list.insertBefore(view.el, before);
    }
  },

  // Of several that come at once the next one may not be shown yet.
  shownAfter(comment) {
    const rest = this.collection.slice(this.collection.indexOf(comment) + 1);
    const next = rest.find((other) => this.views.has(other.id));
    return next && this.views.get(next.id);
  },

  update(_, { changes: { added, removed } }) {
    steadily(this.list, () => {
      for (const comment of removed) this.drop(comment);
      for (const comment of added) this.show(comment);
    });
    requestAnimationFrame(() => this.reveal(added)); // after what moves in this frame
    this.welcome(added.filter((comment) => comment.get("created_seq") > this.newest));
    this.newest = this.newestSeq();
    this.pill.lookSoon();
  },

  // What one has just written is seen at once; what only waits still, or comes from another tab, moves nothing.
  reveal(added) {
    const written = added.findLast((comment) => comment.isNew());
    const writing = document.hasFocus() && document.activeElement.closest(".composer");
    if (written && writing) this.views.get(written.id)?.el.scrollIntoView({ block: "nearest" });
  },

  // Those that are newer than all there were: neither what the page came with nor what was loaded before them.
  welcome(fresh) {
    const mine = (comment) => comment.get("user_id") === this.account.id;
    const [own, theirs] = [fresh.filter(mine), fresh.filter((comment) => !mine(comment))];
    for (const comment of own) this.views.get(comment.id).el.classList.add("is-new");
    for (const comment of theirs) this.pill.await(this.views.get(comment.id).el);
    if (theirs.length === 0) return;
    this.bus.trigger(COMMENTS_ARRIVED, theirs.length, theirs.at(-1).get("username"));
  },

  newestSeq() {
    return Math.max(0, ...this.collection.map((comment) => comment.get("created_seq") ?? 0));
  },

  drop(comment) {
    const view = this.views.get(comment.id);
    this.views.delete(comment.id);
    if (view.hasText() && !this.isBeyond(comment)) view.gone();
    else this.forget(view);
  },

  // Further up than what is loaded now; nobody has deleted it. Its draft or record stays.
  isBeyond(comment) {
    const { before } = this.collection;
    return before !== null && comment.get("created_seq") < before;
  },

  // Where its editor is still open, the text is there.
  keep(record) {
    const isShown = this.el.querySelector(`[data-key="${record.key}"], #comment-${record.key}`);
    if (isShown) return;
    const { el } = new KeptView({ outbox: this.collection.outbox, record });
    el.dataset.key = record.key;
    steadily(this.list, () => this.el.querySelector(".thread__kept").append(el));
  },

  forget(view) {
    const hadFocus = view.el.contains(document.activeElement);
    steadily(this.list, () => view.remove());
    if (hadFocus) this.takeFocus();
  },

  // What had the focus is no more; keys go on from the top of the thread.
  takeFocus() {
    this.el.querySelector(".thread__heading").focus({ preventScroll: true });
  },

  renderSummary() {
    const count = this.collection.count();
    const atLeast = this.collection.before === null ? "" : "more than ";
    const summary = this.el.querySelector(".thread__count");
    summary.textContent = count === 0 ? "" : `${atLeast}${count} comment${count === 1 ? "" : "s"}`;
    summary.dataset.count = count;
    this.hide(".thread__empty", count > 0);
  },

  renderEarlier() {
    const button = this.el.querySelector(".thread__earlier");
    const arrived = !button.hidden && this.collection.before === null;
    button.disabled = false;
    button.hidden = this.collection.before === null;
    // In the button's place, as high as that was.
    if (arrived) this.el.querySelector(".thread__beginning").hidden = false;
    this.hide(".thread__problem", true);
  },

  hide(selector, hidden) {
    const part = this.el.querySelector(selector);
    if (part.hidden === hidden) return;
    steadily(this.list, () => {
      part.hidden = hidden;
    });
  },

  // It lies where there is room for it, so it moves nothing.
  warn() {
    this.el.querySelector(".thread__volatile").hidden = false;
  },

  async loadEarlier({ currentTarget: button }) {
    button.disabled = true;
    try {
      await this.collection.loadEarlier();
      this.bus.trigger(ANNOUNCEMENT, "Earlier comments are shown.");
    } catch (problem) {
      this.complain(problem.message);
    } finally {
      button.disabled = false;
    }
  },

  complain(message) {
    this.el.querySelector(".thread__problem").textContent = message;
    this.hide(".thread__problem", false);
  },
});
