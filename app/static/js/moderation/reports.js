import { REPORT } from "../core/events.js";
import { LiveModel } from "../live/live_model.js";
import { ModerationCollection } from "./moderation_collection.js";

/** Somebody's report about a comment. It is in the collection while it is open. */
const Report = LiveModel.extend({ type: "report", urlRoot: "/api/moderation/reports/" });

export const Reports = ModerationCollection.extend({
  model: Report,
  url: "/api/moderation/reports/",
  plural: "reports",
  changes: REPORT,
});
