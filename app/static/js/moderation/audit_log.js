import { DECISION } from "../core/events.js";
import { LiveModel } from "../live/live_model.js";
import { ModerationCollection } from "./moderation_collection.js";

const BLOCK_ACTS = ["block", "unblock"];

/** An entry: what a moderator did. */
const Decision = LiveModel.extend({ type: "decision", urlRoot: "/api/moderation/decisions/" });

export const AuditLog = ModerationCollection.extend({
  model: Decision,
  url: "/api/moderation/decisions/",
  plural: "decisions",
  changes: DECISION,

  /** Whether this entry is a block that no later entry has ended. */
  isInForce(decision) {
    const { act, person_id: id } = decision.attributes;
    const isAboutPerson = ({ attributes }) =>
      attributes.person_id === id && BLOCK_ACTS.includes(attributes.act);
    return act === "block" && this.findLastIndex(isAboutPerson) === this.indexOf(decision);
  },
});
