import { REPORT_DIALOG_WANTED } from "../core/events.js";
import { DialogView } from "../ui/dialog_view.js";

const THANKS = "Thank you. A moderator will look at it.";

/** @typedef {{ comment: Parley.Comment }} Fields */

/** The dialog to report a comment. `data-state`: asking | thanks. */
export const ReportView = /** @type {DialogWith<Fields>} */ (DialogView).extend({
  component: "report",
  events: {
    ...DialogView.prototype.events,
    input: "storeDraft",
    "click .report__done": "close",
  },

  initialize() {
    this.listenTo(this.bus, REPORT_DIALOG_WANTED, this.open);
  },

  open(comment) {
    this.comment = comment;
    this.form.reset();
    this.restore();
    this.part("author").textContent = comment.get("username");
    this.showState("asking");
    this.showModal();
    this.form.fields.reason.focus();
  },

  // The text is a draft (drafts.js) until it is sent, because the dialog may be closed by mistake.
  draft() {
    return this.drafts.at(`report:${this.comment.id}`);
  },

  restore() {
    const { body = "", base } = this.draft().read() ?? {};
    this.form.fields.note.value = body;
    this.form.fields.reason.value = base?.reason ?? "";
  },

  storeDraft() {
    const { reason, note } = this.form.fields;
    this.draft().save(note.value, { reason: reason.value });
  },

  send() {
    const fields = this.form.values("reason", "note");
    return this.account.request("update", `${this.comment.url()}/report`, fields);
  },

  succeed() {
    this.draft().remove();
    this.showState("thanks");
    this.part("done").focus();
    this.announce(THANKS);
  },
});
