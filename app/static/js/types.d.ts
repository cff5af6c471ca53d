// The types that several modules share. A type of one module stands in it.

type LiveWith<Fields> = BackboneClass<
  InstanceType<typeof import("./live_collection.js").LiveCollection> & Fields
>;
type OwnWith<Fields> = BackboneClass<
  InstanceType<typeof import("./own_collection.js").OwnCollection> & Fields
>;

declare namespace Parley {
  // -- what the server sends

  /** The latest state of a live object, or its tombstone. */
  interface State {
    id: string;
    seq: number;
    created_seq: number;
    deleted?: boolean;
    [member: string]: any;
  }

  /** `commentable_type` and `commentable_id`, which all objects of a topic share. */
  type Place = { [name: string]: string };

  /** A page of a collection. The states are under the collection's plural: "comments". */
  interface Snapshot {
    cursor?: string | string[] | null;
    /** `created_seq` up to which everything is in it; null without an earlier page. */
    before: number | null;
    /** The same in the other direction. */
    after?: number | null;
    [plural: string]: any;
  }

  /** What a collection of a topic is made with. */
  interface CollectionOptions {
    bus: Backbone.Events;
    outbox: Outbox;
    topic: string;
    place: Place;
  }

  interface Person {
    id: string;
    username: string;
  }

  // -- what is not confirmed yet (outbox_rules.js describes the members)

  type Act = "create" | "update" | "destroy";
  type Attributes = { [name: string]: any };
  type Base = { seq: number; attrs: Attributes };

  interface Record {
    type: string;
    key: string;
    root: string;
    address: string | null;
    act: Act;
    attrs: Attributes;
    draft: Attributes;
    user: string;
    base: Base | null;
    doomed: boolean;
    sent: Attributes[];
    tries: number;
    problem: RefusedProblem | null;
  }

  /** A change of one object that somebody wants. */
  type Change = Pick<Record, "type" | "key" | "act" | "attrs" | "draft"> & Partial<Record>;

  /** A `Problem` as it is stored (`toJSON`). After a conflict it has the current state, under the type of the object. */
  interface RefusedProblem {
    status: number;
    message: string;
    [member: string]: any;
  }

  /** What a live model has of its record while it waits. */
  type Pending = { act: Act; tries: number } & Attributes;
  /** What a live model has of its record after it was refused. */
  type Refusal = { act: Act; base: any; problem: RefusedProblem } & Attributes;

  /** Whether a number of likes includes one's own (tally.js describes the members). */
  interface Tally {
    id: string;
    contained: boolean;
    marks: { seq: number; liked: boolean }[];
  }

  // -- the stream

  type StreamState =
    | "idle"
    | "connecting"
    | "live"
    | "catching-up"
    | "reconnecting"
    | "offline"
    | "polling"
    | "signed-out";

  type StreamInput =
    | "open"
    | "close"
    | "level"
    | "behind"
    | "polled"
    | "lost"
    | "unreachable"
    | "ended";

  /** Why an address did not answer with a stream. `positions` of the refused topics count from 0. */
  interface StreamRefusal {
    status: number;
    positions: number[];
  }

  interface Followed {
    topics: string[];
    cursors: string[];
  }

  /** A tab that follows something, as the leading tab knows it. */
  interface Member extends Followed {
    tab: string;
    /** The account's id, or null for a guest. */
    user: string | null;
    counts?: Followed;
    isVisible?: boolean;
    /** When it joined, in milliseconds. */
    at: number;
    /** The round that it is in. */
    round: string | null;
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
    reports?: InstanceType<typeof import("./reports.js").Reports>;
  }

  // -- instances of our classes

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
  parley: Parley.Page;
}

/** A link, a button or a field of a page of ours. The class that it is looked up by does not say which of them it is. */
interface PageElement extends HTMLElement {
  href: string;
  disabled: boolean;
}

interface HTMLFormControlsCollection {
  /** The fields of a form by name. */
  [name: string]: any;
}

interface ParentNode {
  /** The element is in the page or in the template: tests in a browser show that it is there. */
  querySelector<E extends Element = PageElement>(selectors: string): E;
  querySelectorAll<E extends Element = PageElement>(selectors: string): NodeListOf<E>;
}
