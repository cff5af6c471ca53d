import { backoff } from "../core/backoff.js";
import { request } from "../core/sync.js";

const MISSING = 404;
const TRIES = 4;

/**
 * A comment that was reported. Its id is the comment's.
 *
 *   place      "Article/1"
 *   reports    [{username, reason, note}], in order
 *   seq        of the report that moved last: the comment may say something else since
 *   comment    as it is now; null where it is gone, false where it could not be read, undefined until it is known
 */
const Case = Backbone.Model.extend({
  turn: 0,

  initialize() {
    this.on("change:seq", this.look);
    this.look();
  },

  async look() {
    this.turn += 1;
    const mine = this.turn;
    const comment = await this.ask();
    if (mine === this.turn) this.set({ comment });
  },

  async ask() {
    for (let failures = 0; failures < TRIES; failures += 1) {
      try {
        return await request("read", this, { url: `/api/comments/${this.id}` });
      } catch (problem) {
        if (problem.status === MISSING) return null;
        await new Promise((resolve) => setTimeout(resolve, backoff(failures)));
      }
    }
    return false;
  },
});

/** @typedef {{ reports: Backbone.Collection }} Fields */

/** The reports that are open, comment by comment; who has waited longest is first. */
export const ReportedComments = /** @type {CollectionWith<Fields>} */ (Backbone.Collection).extend({
  model: Case,

  initialize(_, { reports }) {
    this.reports = reports;
    this.listenTo(reports, "update reset change", this.regroup);
    this.regroup();
  },

  regroup() {
    const grouped = this.reports.groupBy((report) => report.get("comment_id"));
    this.set(Object.entries(grouped).map(([id, reports]) => caseOf(id, reports)));
  },
});

const caseOf = (id, models) => {
  const reports = models.map((model) => model.toJSON());
  const [{ place }] = reports;
  return { id, place, reports, seq: Math.max(...reports.map(({ seq }) => seq)) };
};
