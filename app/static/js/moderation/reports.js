import { REPORT } from "../core/events.js";
import { LiveModel } from "../live/live_model.js";
import { ModerationCollection } from "./moderation_collection.js";

/** That somebody finds that a comment should not stand. It is here while it is open. */
const Report = LiveModel.extend({ type: "report", urlRoot: "/api/moderation/reports/" });

/** The reports that are open. */
export const Reports = ModerationCollection.extend({
  model: Report,
  url: "/api/moderation/reports/",
  plural: "reports",
  changes: REPORT,
});
