import { CommentView } from "./comment_view.js";
import { ANNOUNCEMENT } from "./events.js";
import { steadily } from "./steady.js";

/** The list, its heading and "load earlier". `el` is the thread's section. */
export const CommentsView = Backbone.View.extend({
  events: { "click .thread__earlier": "loadEarlier" },

  initialize({ bus, account }) {
    this.bus = bus;
    this.account = account;
    this.list = this.el.querySelector(".thread__list");
    this.views = new Map();
    this.listenTo(this.collection, "update", this.update);
    this.listenTo(this.collection, "change:created_seq", this.place);
    this.listenTo(this.collection, "update standing window", this.renderSummary);
    this.listenTo(this.collection, "window", this.renderEarlier);
    this.adopt();
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
    const view = new CommentView({ model: comment, element });
    this.listenTo(view, "closed", this.forget);
    this.listenTo(view, "leaving", this.takeFocus);
    this.views.set(comment.id, view);
    this.place(comment);
    return view;
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
    for (const comment of added) this.welcome(comment);
  },

  welcome(comment) {
    const { el } = this.views.get(comment.id);
    if (comment.isNew()) el.scrollIntoView({ block: "nearest" });
    else if (!this.extending) el.classList.add("is-new");
    const theirs = comment.get("user_id") !== this.account.id;
    if (theirs && !this.extending) {
      this.bus.trigger(ANNOUNCEMENT, `New comment by ${comment.get("username")}.`);
    }
  },

  drop(comment) {
    const view = this.views.get(comment.id);
    this.views.delete(comment.id);
    if (view.editor) view.gone();
    else this.forget(view);
  },

  forget(view) {
    const hadFocus = view.el.contains(document.activeElement);
    view.remove();
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
    this.el.querySelector(".thread__empty").hidden = count > 0;
  },

  renderEarlier() {
    const button = this.el.querySelector(".thread__earlier");
    button.hidden = this.collection.before === null;
    button.disabled = false;
    this.el.querySelector(".thread__problem").hidden = true;
  },

  async loadEarlier({ currentTarget: button }) {
    button.disabled = true;
    this.extending = true;
    try {
      await this.collection.loadEarlier();
      this.bus.trigger(ANNOUNCEMENT, "Earlier comments are shown.");
    } catch (problem) {
      this.complain(problem.message);
    } finally {
      this.extending = false;
      button.disabled = false;
    }
  },

  complain(message) {
    const note = this.el.querySelector(".thread__problem");
    note.textContent = message;
    note.hidden = false;
  },
});
