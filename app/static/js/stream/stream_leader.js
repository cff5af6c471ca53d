// The leading tab's work for all tabs: it holds one stream of all their topics, and posts each event to every tab.
//
// 1. A *round* is one opening of the stream, for the tabs from whose cursors it began. A tab takes events of its own
//    round only. So its cursor may follow the round's, and it misses nothing.
// 2. A tab that joins later starts a new round, because its snapshot may be older than the stream's cursor.
// 3. A stream's address is bounded (round_plan.js): a round has as many tabs as fit, and names its topics to each tab.
//    If an address is refused all the same, the next one is shorter, or lacks the topics that were refused.
// 4. A round begins as soon as all tabs have answered the request to join. In a hidden tab a timer may take a minute.

import {
  JOIN_REQUEST,
  LEADER_CHECK,
  LEADERSHIP_GAINED,
  LEADERSHIP_LOST,
  ROUND_EVENT,
  ROUND_STARTED,
  ROUND_STATE,
  TAB_JOINED,
  TAB_PARTED,
  TAB_VISIBILITY,
} from "../core/events.js";
import { uuid } from "../core/uuid.js";
import { MAX_POLLED_TOPICS } from "./changes_source.js";
import { MAX_LINE_LENGTH, planRound } from "./round_plan.js";
import { Stream } from "./stream.js";
import { lineLength, streamAddress } from "./stream_address.js";

const JOIN_TIMEOUT_MS = 100; // for all tabs to answer
const NEW_TAB_MS = 5_000; // in which a tab that joined need not hold its lock yet (Tabs.present)
const TOO_LONG_STATUSES = [400, 413, 414, 431]; // from proxies that refuse a long address or header
const REFUSALS_UNTIL_SHORTER = 3; // in a row, with any other status: the long address may be the reason
const MIN_LINE_LENGTH = 300; // characters
const FULL_LENGTH_RETRY_MS = 300_000; // until the full length is tried again; doubled each time
const MAX_FULL_LENGTH_RETRY_MS = 16 * FULL_LENGTH_RETRY_MS;
const MAX_REFUSED_TOPICS = 200;

export class StreamLeader {
  /** @type {import("./tabs.js").Tabs} */ #tabs;
  #stream;
  #pollsForGuests;
  #answeredTabs = new Set(); // ids
  /** @type {Map<string, Parley.Member>} */
  #members = new Map(); // by tab; only tabs that follow something
  /** @type {string | null} */ #round = null; // its id
  #joinTimer = 0;
  /** @type {(Parley.Followed & { user: string | null }) | null} */ #plan = null; // of the round
  #maxLineLength = MAX_LINE_LENGTH;
  #refusedTopics = new Set();
  /** @type {string | null} */ #refusedUser = null; // the account for which they were refused
  #refusals = 0; // in a row
  #fullLengthRetry = { ms: FULL_LENGTH_RETRY_MS, timer: 0 };

  /**
   * With `pollsForGuests` (READERS=collapsed), a guest's topics are polled through a cache (changes_source.js).
   * @param {import("./tabs.js").Tabs} tabs
   */
  constructor(tabs, { pollsForGuests = false } = {}) {
    this.#tabs = tabs;
    this.#pollsForGuests = pollsForGuests;
    this.#stream = new Stream({
      onEvent: (name, data, id) => this.#forward(name, data, id),
      onState: (state) => this.#postToRound(ROUND_STATE, { state }),
      onRefusal: (refusal) => this.#handleRefusal(refusal),
      presence: true,
      pollsForGuests,
    });
    tabs.on(LEADERSHIP_GAINED, () => this.#requestJoins());
    tabs.on(LEADERSHIP_LOST, () => this.#close());
    tabs.on(TAB_JOINED, (member) => tabs.leads && this.#addMember(member));
    tabs.on(TAB_PARTED, ({ tab }) => tabs.leads && this.#removeMember(tab));
    tabs.on(TAB_VISIBILITY, ({ tab, isVisible }) => this.#setVisibility(tab, isVisible));
    tabs.on(LEADER_CHECK, () => tabs.leads && this.#check());
    window.addEventListener("online", () => this.#stream.handleOnline());
    window.addEventListener("offline", () => this.#stream.handleOffline());
  }

  #requestJoins() {
    this.#answeredTabs.clear();
    this.#members.clear();
    this.#tabs.post(JOIN_REQUEST);
  }

  #close() {
    clearTimeout(this.#joinTimer);
    clearTimeout(this.#fullLengthRetry.timer);
    this.#round = this.#plan = null; // late events of the stream belong to no round
    this.#refusals = 0;
    this.#stream.close();
  }

  /** @param {Parley.Member} member */
  #addMember(member) {
    this.#answeredTabs.add(member.tab);
    this.#members.delete(member.tab);
    this.#members.set(member.tab, { ...member, at: performance.now(), round: null });
    this.#collectMembers();
  }

  /**
   * The next round will not have this tab's topics. It begins now if topics were left out, or the stream was refused.
   * @param {string} tab
   */
  #removeMember(tab) {
    const wasMember = this.#members.delete(tab);
    this.#answeredTabs.add(tab);
    if (this.#members.size === 0) this.#close();
    else if (wasMember && (this.#refusals > 0 || this.#isTopicLeftOut())) this.#collectMembers();
  }

  #isTopicLeftOut() {
    const wanted = [...this.#members.values()].flatMap(({ topics, counts }) => [
      ...topics,
      ...(counts?.topics ?? []),
    ]);
    return wanted.some((topic) => !this.#plan?.topics.includes(topic));
  }

  /** @type {(name: string, data: string, id: string) => void} */
  #forward(name, data, id) {
    if (this.#refusals > 0 && this.#maxLineLength < MAX_LINE_LENGTH) this.#retryFullLengthLater();
    this.#refusals = 0;
    this.#postToRound(ROUND_EVENT, { name, data, id });
  }

  #retryFullLengthLater() {
    const { ms, timer } = this.#fullLengthRetry;
    clearTimeout(timer);
    this.#fullLengthRetry.ms = Math.min(2 * ms, MAX_FULL_LENGTH_RETRY_MS);
    this.#fullLengthRetry.timer = setTimeout(() => {
      this.#maxLineLength = MAX_LINE_LENGTH;
      if (this.#isTopicLeftOut()) this.#collectMembers();
    }, ms);
  }

  /**
   * Change the address, instead of retrying the same one for ever (3).
   * @param {Parley.StreamRefusal} refusal
   */
  #handleRefusal({ status, positions }) {
    const plan = this.#plan;
    if (!this.#tabs.leads || !plan) return;
    this.#refusals += 1;
    const refused = positions.map((position) => plan.topics[position]).filter(Boolean);
    const isTooLong = TOO_LONG_STATUSES.includes(status) && refused.length === 0;
    const isRepeated = this.#refusals % REFUSALS_UNTIL_SHORTER === 0;
    for (const topic of refused) this.#refusedTopics.add(topic);
    if (isTooLong || isRepeated) this.#halveLength(plan);
    if (refused.length > 0 || isTooLong || isRepeated) this.#startRound(this.#stream.failures);
  }

  /** @param {Parley.Followed & { user: string | null }} plan */
  #halveLength({ topics, cursors, user }) {
    const { cursor } = this.#stream;
    const asked = { topics, cursors: cursor ? [cursor] : cursors, user, presence: true };
    const length = Math.min(this.#maxLineLength, lineLength(streamAddress(asked)));
    this.#maxLineLength = Math.max(MIN_LINE_LENGTH, Math.floor(length / 2));
  }

  /** @type {(tab: string, isVisible: boolean) => void} */
  #setVisibility(tab, isVisible) {
    const member = this.#members.get(tab);
    if (member) member.isVisible = isVisible;
  }

  async #collectMembers() {
    clearTimeout(this.#joinTimer);
    const timer = setTimeout(() => this.#startRound(), JOIN_TIMEOUT_MS);
    this.#joinTimer = timer;
    const present = await this.#tabs.present();
    this.#removeMembers((tab) => !present.includes(tab));
    const isLatest = timer === this.#joinTimer;
    if (isLatest && present.every((tab) => this.#answeredTabs.has(tab))) this.#startRound(); // (4)
  }

  /** @param {(tab: string) => boolean} isAbsent */
  #removeMembers(isAbsent) {
    const newSince = performance.now() - NEW_TAB_MS;
    for (const { tab, at } of this.#members.values()) {
      if (at < newSince && isAbsent(tab)) this.#members.delete(tab);
    }
  }

  #startRound(failures = 0) {
    clearTimeout(this.#joinTimer);
    const all = [...this.#members.values()];
    if (!this.#tabs.leads || all.length === 0) return;
    const user = all.at(-1)?.user ?? null; // the newest tab has the latest account
    const ofUser = all.filter((member) => member.user === user);
    for (const member of ofUser) this.#advance(member);
    if (this.#refusedUser !== user || this.#refusedTopics.size > MAX_REFUSED_TOPICS)
      this.#refusedTopics.clear();
    this.#refusedUser = user;
    const maxTopics = this.#pollsForGuests && user === null ? MAX_POLLED_TOPICS : undefined;
    const options = {
      user,
      maxLength: this.#maxLineLength,
      maxTopics,
      refused: this.#refusedTopics,
    };
    const { members, topics, cursors } = planRound(ofUser, options);
    this.#plan = { topics, cursors, user };
    this.#round = uuid();
    for (const member of members) member.round = this.#round;
    const tabs = members.map(({ tab }) => tab);
    this.#tabs.post(ROUND_STARTED, { round: this.#round, user, tabs, topics });
    this.#stream.open(topics, cursors, user, failures);
  }

  /**
   * A tab of the last round has received all of its events, so it can continue from the stream's cursor.
   * @param {Parley.Member} member
   */
  #advance(member) {
    const { cursor } = this.#stream;
    if (member.round === null || member.round !== this.#round || !cursor) return;
    member.cursors = [cursor];
    if (member.counts) member.counts = { ...member.counts, cursors: [cursor] };
  }

  // A tab became visible, or received nothing for too long.
  #check() {
    this.#stream.check();
    this.#postToRound(ROUND_STATE, { state: this.#stream.state });
  }

  /** @type {(kind: string, data: object) => void} */
  #postToRound(kind, data) {
    if (this.#round) this.#tabs.post(kind, { round: this.#round, ...data });
  }
}
