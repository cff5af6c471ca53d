import { homeOf } from "../core/base.js";
import { ListingView } from "./listing_view.js";

/** The people whose comments do not notify the user. */
export const MutedPeopleView = ListingView.extend({
  url: "/api/mutes",
  verb: "Unmute",
  entriesIn: ({ mutes }) =>
    mutes.map(({ id, username }) => ({ id: `/api/users/${id}/mute`, name: username })),
  sentence: (name) => `${name} is no longer muted.`,
});

/** The conversations about whose new comments the user gets email. */
export const FollowedConversationsView = ListingView.extend({
  url: "/api/followed_conversations",
  verb: "Unfollow",
  entriesIn(response) {
    return conversationsIn(response, this.url);
  },
  sentence: (name) => `You no longer follow ${name}.`,
});

/** The conversations about which the user gets no email. */
export const MutedConversationsView = ListingView.extend({
  url: "/api/muted_conversations",
  verb: "Unmute",
  entriesIn(response) {
    return conversationsIn(response, this.url);
  },
  sentence: (name) => `${name} is no longer muted.`,
});

const conversationsIn = ({ conversations }, url) =>
  conversations.map(({ title, ...place }) => ({
    id: `${url}?${new URLSearchParams(place)}`,
    name: title || `${place.commentable_type} ${place.commentable_id}`,
    href: homeOf(`${place.commentable_type}/${place.commentable_id}`),
  }));
