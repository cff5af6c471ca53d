// The parts of a page: instances of our classes.

type LiveWith<Fields> = BackboneClass<
  InstanceType<typeof import("./live_collection.js").LiveCollection> & Fields
>;
type OwnWith<Fields> = BackboneClass<
  InstanceType<typeof import("./own_collection.js").OwnCollection> & Fields
>;

declare namespace Parley {
  /** What a collection of a topic is made with. */
  interface CollectionOptions {
    bus: Backbone.Events;
    outbox: Outbox;
    topic: string;
    place: Place;
  }

  /** `window.parley`: what tests and the curious find in a page. */
  interface Page {
    account: Account;
    bus: Backbone.Events;
    outbox: Outbox;
    connector: import("./connector.js").Connector;
    comments: Comments | null;
    likes: Likes | null;
    commentable: Commentable | null;
    commentables: InstanceType<typeof import("./commentables.js").Commentables> | null;
    notifications?: InstanceType<typeof import("./notifications.js").Notifications>;
    loading: () => number;
    reports?: InstanceType<typeof import("./reports.js").Reports>;
  }

  /** What the views of a thread share. */
  interface Desk {
    bus: Backbone.Events;
    account: Account;
    drafts: Drafts | null;
    presence: Presence | null;
  }

  type Account = InstanceType<typeof import("./account.js").Account>;
  type Comment = InstanceType<typeof import("./comment.js").Comment>;
  type Comments = InstanceType<typeof import("./comments.js").Comments>;
  type Commentable = InstanceType<typeof import("./commentable.js").Commentable>;
  type Likes = InstanceType<typeof import("./likes.js").Likes>;
  type Presence = InstanceType<typeof import("./presence.js").Presence>;
  type Outbox = import("./outbox.js").Outbox;
  type Drafts = import("./drafts.js").Drafts;
  type Draft = import("./draft.js").Draft;
  type Moderation = import("./moderation.js").Moderation;
  type Problem = import("./problem.js").Problem;
  type Tabs = import("./tabs.js").Tabs;
}

interface Window {
  parleyEmbed?: unknown; // in a page of another site: embed.js has run
  parley: Parley.Page;
}
