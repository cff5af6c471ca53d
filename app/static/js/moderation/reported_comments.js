import { backoff } from "../core/backoff.js";
import { request } from "../core/sync.js";

const NOT_FOUND = 404;
const MAX_ATTEMPTS = 4;

/**
 * A comment with open reports. Its id is the comment's.
 *
 *   place      "Article/1"
 *   reports    [{username, reason, note}], in order
 *   seq        of the report that changed last. The comment is read again then, because it may have changed, too
 *   comment    its current state; null if it was deleted, false if it could not be read, undefined until it is read
 */
const ReportedComment = Backbone.Model.extend({
  lastRead: 0,

  initialize() {
    this.on("change:seq", this.refresh);
    this.refresh();
  },

  async refresh() {
    this.lastRead += 1;
    const read = this.lastRead;
    const comment = await this.readComment();
    if (read === this.lastRead) this.set({ comment });
  },

  async readComment() {
    for (let failures = 0; failures < MAX_ATTEMPTS; failures += 1) {
      try {
        return await request("read", this, { url: `/api/comments/${this.id}` });
      } catch (problem) {
        if (problem.status === NOT_FOUND) return null;
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
      }
    }
    return false;
  },
});

/** @typedef {{ reports: Backbone.Collection }} Fields */

/** The open reports by their comments. The comment with the oldest report is first. */
export const ReportedComments = /** @type {CollectionWith<Fields>} */ (Backbone.Collection).extend({
  model: ReportedComment,

  initialize(_, { reports }) {
    this.reports = reports;
    this.listenTo(reports, "update reset change", this.regroup);
    this.regroup();
  },

  regroup() {
    const grouped = this.reports.groupBy((report) => report.get("comment_id"));
    this.set(Object.entries(grouped).map(([id, reports]) => group(id, reports)));
  },
});

const group = (id, models) => {
  const reports = models.map((model) => model.toJSON());
  const [{ place }] = reports;
  return { id, place, reports, seq: Math.max(...reports.map(({ seq }) => seq)) };
};
