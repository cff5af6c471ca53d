import { fromTemplate } from "../core/template.js";
import { ComponentView } from "../ui/component_view.js";

/** The list of muted people on the account page. It is read when the page opens, and after each change. */
export const MutesView = ComponentView.extend({
  component: "mutes",
  events: { "click .mute__end": "unmute" },

  url: "/api/mutes",
  lastRead: 0,

  initialize() {
    this.listenTo(this.account, "change:id", this.refetch);
    this.refetch();
  },

  /** [{name, url}]: each muted name in the response, and the path at which a DELETE unmutes it. */
  mutesIn: ({ mutes }) =>
    mutes.map(({ id, username }) => ({ name: username, url: `/api/users/${id}/mute` })),

  async refetch() {
    this.lastRead += 1;
    const read = this.lastRead;
    this.show([]);
    if (!this.account.isSignedIn()) return;
    await this.attempt(async () => {
      const response = await this.account.request("read", this.url);
      if (read === this.lastRead) this.show(this.mutesIn(response));
    });
  },

  show(mutes) {
    this.part("none").hidden = mutes.length > 0;
    this.part("list").replaceChildren(...mutes.map(lineOf));
  },

  async unmute({ delegateTarget: button }) {
    const { url, name } = button.closest(".mute").dataset;
    if (await this.attempt(() => this.account.request("delete", url))) return;
    this.focusHeading();
    this.announce(`${name} is no longer muted.`);
    await this.refetch();
  },
});

const lineOf = ({ name, url }) => {
  const line = fromTemplate("mute");
  Object.assign(line.dataset, { name, url });
  line.querySelector(".mute__name").textContent = name;
  line.querySelector(".mute__end").setAttribute("aria-label", `Unmute ${name}`);
  return line;
};
