// The parts of a page: instances of our classes.

type LiveWith<Fields> = BackboneClass<
  InstanceType<typeof import("../live/live_collection.js").LiveCollection> & Fields
>;
type OwnWith<Fields> = BackboneClass<
  InstanceType<typeof import("../live/own_collection.js").OwnCollection> & Fields
>;

type ComponentWith<Fields> = BackboneClass<
  InstanceType<typeof import("../ui/component_view.js").ComponentView> & Fields
>;

type SectionWith<Fields> = BackboneClass<
  InstanceType<typeof import("../thread/section_view.js").SectionView> & Fields
>;

type FormWith<Fields> = BackboneClass<
  InstanceType<typeof import("../ui/form_view.js").FormView> & Fields
>;

type DialogWith<Fields> = BackboneClass<
  InstanceType<typeof import("../ui/dialog_view.js").DialogView> & Fields
>;

declare namespace Parley {
  /** What a collection of a topic is made with. */
  interface CollectionOptions {
    bus: Backbone.Events;
    outbox: Outbox;
    topic: string;
    place: Place;
  }

  /** The parts of a page that features share: `window.parley`. */
  interface App {
    page: any; // the JSON in the page: user, snapshots and cursors
    bus: Backbone.Events;
    account: Account;
    outbox: Outbox;
    drafts: Drafts;
    connector: import("../stream/stream_client.js").StreamClient;
    live: import("../live/live_page.js").LivePage;
    loading: () => number;
    comments: Comments | null;
    likes: Likes | null;
    commentable: Commentable | null;
    commentables: InstanceType<typeof import("../thread/commentables.js").Commentables> | null;
    notifications?: any;
    reports?: any;
  }

  /** The parts of the app that a view gets as options (component_view.js). */
  interface Parts {
    parts: any;
    bus: Backbone.Events;
    account: Account;
    drafts: Drafts;
    outbox: Outbox;
    presence: Presence;
    likes: Likes;
  }

  type Account = InstanceType<typeof import("../account/account.js").Account>;
  type Comment = InstanceType<typeof import("../thread/comment.js").Comment>;
  type Comments = InstanceType<typeof import("../thread/comments.js").Comments>;
  type Commentable = InstanceType<typeof import("../thread/commentable.js").Commentable>;
  type Likes = InstanceType<typeof import("../thread/likes.js").Likes>;
  type Presence = InstanceType<typeof import("../stream/presence.js").Presence>;
  type Outbox = import("../outbox/outbox.js").Outbox;
  type Drafts = import("../outbox/drafts.js").Drafts;
  type Draft = import("../outbox/draft.js").Draft;
  type Problem = import("./problem.js").Problem;
  type Tabs = import("../stream/tabs.js").Tabs;
}

interface Window {
  parleyEmbed?: unknown; // in a page of another site: embed.js has run
  parley: Parley.App;
}
