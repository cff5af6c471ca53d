import { homeOf } from "../core/base.js";
import { MODERATION_DIALOG_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { counted } from "../ui/counted.js";
import { isolated } from "../ui/isolated.js";

const REASONS = {
  spam: "spam",
  abuse: "abuse",
  illegal: "illegal content",
  other: "something else",
};
const LOADING = "…";
const DELETED = "This comment was deleted.";
const NOT_LOADED = "Couldn't load this comment.";

/** One reported comment with its text, its reports and the buttons to moderate it. */
export const ReportedCommentView = ComponentView.extend({
  component: "case",
  events: {
    "click [data-act]": "openDialog",
    "click .case__block": "block",
    "click .case__dismiss": "dismiss",
  },

  initialize() {
    this.listenTo(this.model, "change", this.render);
    this.render();
  },

  render() {
    const { place, reports, comment } = this.model.attributes;
    const isByOther = Boolean(comment) && comment.user_id !== this.account.id;
    this.el.dataset.commentId = this.model.id;
    this.part("author").textContent = comment ? comment.username : "Somebody";
    this.part("link").textContent = place;
    this.part("link").href = `${homeOf(place)}#comment-${this.model.id}`;
    this.part("text").textContent = textOf(comment);
    this.part("text").classList.toggle("is-missing", !comment);
    this.part("count").textContent = `${counted(reports.length, "report")}: `;
    this.part("reasons").textContent = reasonsOf(reports);
    this.part("notes").replaceChildren(...reports.filter(({ note }) => note).map(noteOf));
    this.part("hide").hidden = !comment || comment.hidden;
    this.part("erase").hidden = !comment || !this.account.isOwner();
    this.part("block").hidden = !isByOther;
  },

  openDialog({ delegateTarget: button }) {
    const reason = reasonsOf(this.model.get("reports"));
    this.bus.trigger(MODERATION_DIALOG_WANTED, button.dataset.act, { id: this.model.id, reason });
  },

  block() {
    const { user_id: id, username: name } = this.model.get("comment");
    this.bus.trigger(MODERATION_DIALOG_WANTED, "block", { id, name });
  },

  // The button is not disabled meanwhile, because it would lose the focus. A second request is no error.
  async dismiss() {
    try {
      await this.account.request("delete", `/api/comments/${this.model.id}/reports`);
    } catch (problem) {
      this.showProblem(`Couldn't dismiss the report. ${problem.message}`);
    }
  },
});

const textOf = (comment) => {
  if (comment === undefined) return LOADING;
  if (comment === null) return DELETED;
  return comment ? comment.body : NOT_LOADED;
};

// "spam, 2 × abuse", in the order in which each reason was first given.
const reasonsOf = (reports) =>
  Object.entries(_.countBy(reports, "reason"))
    .map(([reason, n]) => (n > 1 ? `${n} × ${REASONS[reason]}` : REASONS[reason]))
    .join(", ");

const noteOf = ({ username, note }) => {
  const item = document.createElement("li");
  item.textContent = `${isolated(username)}: “${isolated(note)}”`;
  return item;
};
