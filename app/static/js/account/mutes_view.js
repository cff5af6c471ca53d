import { fromTemplate } from "../core/template.js";
import { ComponentView } from "../ui/component_view.js";

const MUTES = "/api/mutes";
const muteOf = (userId) => `/api/users/${userId}/mute`;

/** The list of muted people on the account page. It is read when the page opens, and after each change. */
export const MutesView = ComponentView.extend({
  component: "mutes",
  events: { "click .mute__end": "unmute" },

  lastRead: 0,

  initialize() {
    this.listenTo(this.account, "change:id", this.refetch);
    this.refetch();
  },

  async refetch() {
    this.lastRead += 1;
    const read = this.lastRead;
    this.show([]);
    if (!this.account.isSignedIn()) return;
    await this.attempt(async () => {
      const { mutes } = await this.account.request("read", MUTES);
      if (read === this.lastRead) this.show(mutes);
    });
  },

  show(mutes) {
    this.part("none").hidden = mutes.length > 0;
    this.part("list").replaceChildren(...mutes.map(lineOf));
  },

  async unmute({ delegateTarget: button }) {
    const { muteId: id, name } = button.closest(".mute").dataset;
    if (await this.attempt(() => this.account.request("delete", muteOf(id)))) return;
    this.focusHeading();
    this.announce(`${name} is no longer muted.`);
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
