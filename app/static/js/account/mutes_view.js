import { ANNOUNCEMENT } from "../core/events.js";
import { fromTemplate } from "../core/template.js";
import { ComponentView } from "../ui/component_view.js";

/**
 * @typedef {{
 *   lastRead: number,
 *   account: Parley.Account,
 *   moderation: Parley.Moderation,
 *   bus: Backbone.Events,
 * }} Fields
 */

/** The list of muted people on the account page. It is read when the page opens, and after each change. */
export const MutesView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "mutes",
  events: { "click .mute__end": "unmute" },

  /** Options: `account`, `moderation`, `bus`. */
  initialize({ account, moderation, bus }) {
    Object.assign(this, { account, moderation, bus });
    this.lastRead = 0;
    this.listenTo(account, "change:id", this.refetch);
    this.refetch();
  },

  async refetch() {
    this.lastRead += 1;
    const read = this.lastRead;
    this.show([]);
    if (!this.account.isSignedIn()) return;
    await this.attempt(async () => {
      const { mutes } = await this.moderation.mutes();
      if (read === this.lastRead) this.show(mutes);
    });
  },

  show(mutes) {
    this.part("none").hidden = mutes.length > 0;
    this.part("list").replaceChildren(...mutes.map(lineOf));
  },

  async unmute({ delegateTarget: button }) {
    const { muteId: id, name } = button.closest(".mute").dataset;
    if (await this.attempt(() => this.moderation.unmute(id))) return;
    this.part("heading").focus({ preventScroll: true });
    this.bus.trigger(ANNOUNCEMENT, `${name} is no longer muted.`);
    await this.refetch();
  },
});

const lineOf = ({ id, username }) => {
  const line = fromTemplate("mute");
  Object.assign(line.dataset, { muteId: id, name: username });
  line.querySelector(".mute__name").textContent = username;
  line.querySelector(".mute__end").setAttribute("aria-label", `Unmute ${username}`);
  return line;
};
