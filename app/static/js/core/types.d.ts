// The data that several modules share: the server's records, the outbox's records, and the members of a room.

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

  /** A rule: from one list of records to the next. */
  type Rule<Rest extends any[] = []> = (records: Record[], ...rest: Rest) => Record[];
  /** What becomes of one record; null if it ends. */
  type Next<Rest extends any[] = []> = (record: Record, ...rest: Rest) => Record | null;

  /** A change of one object that somebody wants. */
  type Change = Pick<Record, "type" | "key" | "act" | "attrs" | "draft"> & Partial<Record>;

  /**
   * A `Problem` as it is stored (`toJSON`). After a conflict it has the current state, under the type of the object.
   */
  interface RefusedProblem {
    status: number;
    message: string;
    [member: string]: any;
  }

  /** What a live model has of its record while it waits. */
  type Pending = { act: Act; tries: number } & Attributes;
  /** What a live model has of its record after it was refused. */
  type Refusal = { act: Act; base: any; problem: RefusedProblem } & Attributes;

  /** Whether a number of likes includes this account's like (like_count.js describes the members). */
  interface LikeCount {
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
    | "caughtUp"
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
}
