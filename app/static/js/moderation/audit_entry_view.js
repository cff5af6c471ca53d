import { homeOf } from "../core/base.js";
import { MODERATION_DIALOG_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { isolated } from "../ui/isolated.js";

const COMMAND_LINE = "Administrator (command line)";
// The words before and after the name of the person. The name of the page follows.
const WORDS = {
  hide: ["hid a comment by", " in"],
  restore: ["restored a comment by", " in"],
  erase: ["erased a comment by", " in"],
  dismiss: ["dismissed a report on", "'s comment in"],
  lock: ["locked", ""],
  unlock: ["unlocked", ""],
  title: ["renamed", ""],
  page: ["changed the page of", ""],
  block: ["blocked", ""],
  unblock: ["unblocked", ""],
  member: ["made", " a member"],
  moderator: ["made", " a moderator"],
  owner: ["made", " an owner"],
};

export const AuditEntryView = ComponentView.extend({
  component: "decision",
  events: { "click .decision__unblock": "unblock" },

  initialize() {
    this.listenTo(this.model, "change", this.render);
    this.render();
  },

  render() {
    const { username, act, person_name: person, place, reason, created_at } = this.model.attributes;
    this.el.dataset.act = act;
    this.part("by").textContent = username || COMMAND_LINE;
    [this.part("verb").textContent, this.part("after").textContent] = WORDS[act];
    this.part("person").textContent = person;
    this.part("place").textContent = place ?? "";
    this.part("place").hidden = place === null;
    if (place !== null) this.part("place").href = this.address();
    this.part("reason").textContent = reason && `“${reason}”`;
    this.part("time").setAttribute("datetime", created_at);
    this.renderUnblock();
  },

  /** Show the button while this entry is the reason why the person is blocked. */
  renderUnblock() {
    const unblock = this.part("unblock");
    unblock.hidden = !this.model.collection?.isInForce(this.model);
    unblock.setAttribute("aria-label", `Unblock ${isolated(this.model.get("person_name") ?? "")}`);
  },

  address() {
    const { place, comment_id: id } = this.model.attributes;
    return id ? `${homeOf(place)}#comment-${id}` : homeOf(place);
  },

  unblock() {
    const { person_id: id, person_name: name } = this.model.attributes;
    this.bus.trigger(MODERATION_DIALOG_WANTED, "unblock", { id, name });
  },
});
