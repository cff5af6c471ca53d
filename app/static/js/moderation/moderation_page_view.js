import { ANNOUNCEMENT, WINDOW_CHANGED } from "../core/events.js";
import { AuditEntryView } from "./audit_entry_view.js";
import { ReportedCommentView } from "./reported_comment_view.js";
import { ReportedComments } from "./reported_comments.js";

/**
 * @typedef {{
 *   account: Parley.Account,
 *   bus: Backbone.Events,
 *   moderation: Parley.Moderation,
 *   cases: any,
 *   decisions: any,
 *   views: Map<string, any>,
 * }} Fields
 */

/** The moderators' page: what was reported, and what was decided. `el` is `.desk`. */
export const ModerationPageView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  events: { "click .desk__earlier": "loadEarlier" },

  /** `reports` and `decisions`: the collections of both. */
  initialize({ bus, account, moderation, reports, decisions }) {
    const cases = new ReportedComments(null, { reports });
    Object.assign(this, { bus, account, moderation, cases, decisions, views: new Map() });
    this.listenTo(account, "change", this.renderRights);
    this.listenTo(cases, "update reset", this.renderCases);
    this.listenTo(decisions, `update reset ${WINDOW_CHANGED}`, this.renderDecisions);
    this.renderRights();
    this.renderCases();
    this.renderDecisions();
  },

  part(name) {
    return this.el.querySelector(`.desk__${name}`);
  },

  // Whoever may not see it any more sees nothing of it any more.
  renderRights() {
    const may = this.account.isModerator();
    this.part("inside").hidden = !may;
    this.part("others").hidden = may;
  },

  renderCases() {
    const { bus, account, moderation } = this;
    const make = (model) => new ReportedCommentView({ model, bus, account, moderation });
    this.fill(this.part("cases"), this.cases.models, make);
    this.part("nothing").hidden = this.cases.length > 0;
  },

  // The newest first.
  renderDecisions() {
    const make = (model) => new AuditEntryView({ model, bus: this.bus });
    const views = this.fill(this.part("decisions"), this.decisions.models.toReversed(), make);
    for (const view of views) view.renderUnblock();
    this.part("earlier").hidden = this.decisions.before === null;
    this.part("untouched").hidden = this.decisions.length > 0;
  },

  // Only what has moved is touched: moving an element takes the focus out of it.
  fill(list, models, make) {
    const hadFocus = list.contains(document.activeElement);
    const views = models.map((model) => this.viewOf(model, make));
    for (const el of Array.from(list.children)) {
      if (!views.some((view) => view.el === el)) el.remove();
    }
    for (const [index, { el }] of views.entries()) {
      if (list.children[index] !== el) list.insertBefore(el, list.children[index] ?? null);
    }
    if (hadFocus && !list.contains(document.activeElement)) this.takeFocus();
    return views;
  },

  viewOf(model, make) {
    if (!this.views.has(model)) {
      this.views.set(model, make(model));
      model.once("remove", () => this.forget(model));
    }
    return this.views.get(model);
  },

  forget(model) {
    this.views.get(model)?.stopListening();
    this.views.delete(model);
  },

  takeFocus() {
    this.part("heading").focus({ preventScroll: true });
  },

  async loadEarlier({ delegateTarget: button }) {
    button.disabled = true;
    this.part("problem").hidden = true;
    try {
      await this.decisions.loadEarlier();
      this.bus.trigger(ANNOUNCEMENT, "Earlier entries loaded.");
    } catch (problem) {
      this.part("problem").textContent = problem.message;
      this.part("problem").hidden = false;
    } finally {
      button.disabled = false;
    }
  },
});
