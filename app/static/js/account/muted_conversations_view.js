import { MutesView } from "./mutes_view.js";

/** The list of conversations about which the user gets no email. */
export const MutedConversationsView = MutesView.extend({
  component: "muted-conversations",
  url: "/api/muted_conversations",

  mutesIn({ conversations }) {
    return conversations.map(({ title, ...place }) => ({
      name: title || Object.values(place).join(" "),
      url: `${this.url}?${new URLSearchParams(place)}`,
    }));
  },
});
