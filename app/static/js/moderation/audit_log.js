import { DECISION } from "../core/events.js";
import { LiveModel } from "../live/live_model.js";
import { ModerationCollection } from "./moderation_collection.js";

const BLOCKING = ["block", "unblock"];

/** What a moderator did. */
const Decision = LiveModel.extend({ type: "decision", urlRoot: "/api/moderation/decisions/" });

/** The audit trail, as far as it is loaded. */
export const AuditLog = ModerationCollection.extend({
  model: Decision,
  url: "/api/moderation/decisions/",
  plural: "decisions",
  changes: DECISION,

  /** Is this the decision by which somebody is blocked still? */
  holds(decision) {
    const { act, person_id: id } = decision.attributes;
    const isOfThem = ({ attributes }) =>
      attributes.person_id === id && BLOCKING.includes(attributes.act);
    return act === "block" && this.findLastIndex(isOfThem) === this.indexOf(decision);
  },
});
