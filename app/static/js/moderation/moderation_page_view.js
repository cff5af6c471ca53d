import { WINDOW_CHANGED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { AuditEntryView } from "./audit_entry_view.js";
import { ReportedCommentView } from "./reported_comment_view.js";
import { ReportedComments } from "./reported_comments.js";

/**
 * @typedef {{
 *   reported: InstanceType<typeof ReportedComments>,
 *   decisions: any,
 *   comments: ViewList,
 *   entries: ViewList,
 * }} Fields
 */

/** The moderation page: the reported comments and the audit log. */
export const ModerationPageView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "desk",
  events: { "click .desk__earlier": "loadEarlier" },

  /** `reports`: a Reports collection. `decisions`: an AuditLog. */
  initialize({ reports, decisions }) {
    const reported = new ReportedComments(null, { reports });
    Object.assign(this, { reported, decisions });
    const viewOfComment = (model) => new ReportedCommentView({ model, ...this.parts });
    const viewOfEntry = (model) => new AuditEntryView({ model, ...this.parts });
    const takeFocus = () => this.focusHeading();
    this.comments = new ViewList(this.part("cases"), viewOfComment, takeFocus);
    this.entries = new ViewList(this.part("decisions"), viewOfEntry, takeFocus);
    this.listenTo(this.account, "change", this.renderRights);
    this.listenTo(reported, "update reset", this.renderComments);
    this.listenTo(decisions, `update reset ${WINDOW_CHANGED}`, this.renderEntries);
    this.renderRights();
    this.renderComments();
    this.renderEntries();
  },

  // The role may change while the page is open.
  renderRights() {
    const isModerator = this.account.isModerator();
    this.part("inside").hidden = !isModerator;
    this.part("others").hidden = isModerator;
  },

  renderComments() {
    this.comments.show(this.reported.models);
    this.part("nothing").hidden = this.reported.length > 0;
  },

  // Newest first.
  renderEntries() {
    const views = this.entries.show(this.decisions.models.toReversed());
    for (const view of views) view.renderUnblock();
    this.part("earlier").hidden = this.decisions.before === null;
    this.part("untouched").hidden = this.decisions.length > 0;
  },

  loadEarlier({ delegateTarget: button }) {
    this.loadPageBefore(this.decisions, button, "Earlier entries loaded.");
  },
});
