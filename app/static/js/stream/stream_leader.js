// What the leading tab does for all: one stream of all their topics, and each event of it told to every tab.
//
// 1. A *round* is one opening of the stream, for the tabs whose cursors it began from. A tab takes events of a
//    round it is in, and of no other: so its own cursor may follow the round's, and nothing falls in between.
// 2. A tab that comes later makes a new round: its snapshot may be older than where the stream is.
// 3. A stream's address is bounded (round_plan.js): a round is for as many tabs as fit, and each tab is told which topics
//    are in it. If an address is refused all the same, the next one is shorter, or lacks the topics that were refused.
// 4. A round begins as soon as all tabs have answered the call. In a hidden tab a timer may take a minute.

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
import { MAX_LINE, planRound } from "./round_plan.js";
import { Stream } from "./stream.js";
import { lineLength, streamAddress } from "./stream_address.js";

const GATHER_MS = 100; // for all tabs to answer
const SETTLING_MS = 5_000; // in which a new tab need not be seen yet
const TOO_LONG = [400, 413, 414, 431]; // statuses of proxies that refuse a long address or header
const REFUSALS_UNTIL_SHORTER = 3; // in a row, with any other status: the long address may be the reason
const MIN_LINE = 300; // characters
const LONGER_AGAIN_MS = 300_000; // until the full length is tried again; doubled each time
const MAX_LONGER_AGAIN_MS = 16 * LONGER_AGAIN_MS;
const MAX_REFUSED_TOPICS = 200;

export class StreamLeader {
  /** @type {import("./tabs.js").Tabs} */ #tabs;
  #stream;
  #answered = new Set(); // ids of tabs
  /** @type {Map<string, Parley.Member>} */
  #members = new Map(); // by tab, of those that have something to follow
  /** @type {string | null} */ #round = null;
  #gathering = 0;
  /** @type {(Parley.Followed & { user: string | null }) | null} */ #plan = null; // of the round
  #maxLine = MAX_LINE;
  #refusedTopics = new Set();
  /** @type {string | null} */ #refusedFor = null; // the account for which they were refused
  #refusals = 0; // in a row
  #longerAgain = { ms: LONGER_AGAIN_MS, timer: 0 };

  /** @param {import("./tabs.js").Tabs} tabs */
  constructor(tabs) {
    this.#tabs = tabs;
    this.#stream = new Stream({
      hear: (name, data, id) => this.#heard(name, data, id),
      tell: (state) => this.#post(ROUND_STATE, { state }),
      refused: (refusal) => this.#refused(refusal),
      presence: true,
    });
    tabs.on(LEADERSHIP_GAINED, () => this.#lead());
    tabs.on(LEADERSHIP_LOST, () => this.#close());
    tabs.on(TAB_JOINED, (member) => tabs.leads && this.#join(member));
    tabs.on(TAB_PARTED, ({ tab }) => tabs.leads && this.#part(tab));
    tabs.on(TAB_VISIBILITY, ({ tab, isVisible }) => this.#saw(tab, isVisible));
    tabs.on(LEADER_CHECK, () => tabs.leads && this.#poked());
    window.addEventListener("online", () => this.#stream.renew());
    window.addEventListener("offline", () => this.#stream.despair());
  }

  #lead() {
    this.#answered.clear();
    this.#members.clear();
    this.#tabs.post(JOIN_REQUEST);
  }

  #close() {
    clearTimeout(this.#gathering);
    clearTimeout(this.#longerAgain.timer);
    this.#round = this.#plan = null; // late events of the stream belong to no round
    this.#refusals = 0;
    this.#stream.close();
  }

  /** @param {Parley.Member} member */
  #join(member) {
    this.#answered.add(member.tab);
    this.#members.delete(member.tab);
    this.#members.set(member.tab, { ...member, at: performance.now(), round: null });
    this.#gather();
  }

  /**
   * The next round will not have this tab's topics. It begins now if topics were left out, or the stream was refused.
   * @param {string} tab
   */
  #part(tab) {
    const wasHere = this.#members.delete(tab);
    this.#answered.add(tab);
    if (this.#members.size === 0) this.#close();
    else if (wasHere && (this.#refusals > 0 || this.#isShort())) this.#gather();
  }

  #isShort() {
    const wanted = [...this.#members.values()].flatMap(({ topics, counts }) => [
      ...topics,
      ...(counts?.topics ?? []),
    ]);
    return wanted.some((topic) => !this.#plan?.topics.includes(topic));
  }

  /**
   * @param {string} name
   * @param {string} data
   * @param {string} id
   */
  #heard(name, data, id) {
    if (this.#refusals > 0 && this.#maxLine < MAX_LINE) this.#tryLongerLater();
    this.#refusals = 0;
    this.#post(ROUND_EVENT, { name, data, id });
  }

  #tryLongerLater() {
    const { ms, timer } = this.#longerAgain;
    clearTimeout(timer);
    this.#longerAgain.ms = Math.min(2 * ms, MAX_LONGER_AGAIN_MS);
    this.#longerAgain.timer = setTimeout(() => {
      this.#maxLine = MAX_LINE;
      if (this.#isShort()) this.#gather();
    }, ms);
  }

  /**
   * Change the address, instead of repeating it for ever (3).
   * @param {Parley.StreamRefusal} refusal
   */
  #refused({ status, positions }) {
    const plan = this.#plan;
    if (!this.#tabs.leads || !plan) return;
    this.#refusals += 1;
    const refused = positions.map((position) => plan.topics[position]).filter(Boolean);
    const isTooLong = TOO_LONG.includes(status) && refused.length === 0;
    const isOften = this.#refusals % REFUSALS_UNTIL_SHORTER === 0;
    for (const topic of refused) this.#refusedTopics.add(topic);
    if (isTooLong || isOften) this.#shorten(plan);
    if (refused.length > 0 || isTooLong || isOften) this.#begin(this.#stream.failures);
  }

  /** @param {Parley.Followed & { user: string | null }} plan */
  #shorten({ topics, cursors, user }) {
    const { position } = this.#stream;
    const asked = { topics, cursors: position ? [position] : cursors, user, presence: true };
    const length = Math.min(this.#maxLine, lineLength(streamAddress(asked)));
    this.#maxLine = Math.max(MIN_LINE, Math.floor(length / 2));
  }

  /**
   * @param {string} tab
   * @param {boolean} isVisible
   */
  #saw(tab, isVisible) {
    const member = this.#members.get(tab);
    if (member) member.isVisible = isVisible;
  }

  async #gather() {
    clearTimeout(this.#gathering);
    const timer = setTimeout(() => this.#begin(), GATHER_MS);
    this.#gathering = timer;
    const present = await this.#tabs.present();
    this.#forget((tab) => !present.includes(tab));
    const isLast = timer === this.#gathering;
    if (isLast && present.every((tab) => this.#answered.has(tab))) this.#begin(); // (4)
  }

  /** @param {(tab: string) => boolean} isAbsent */
  #forget(isAbsent) {
    const settled = performance.now() - SETTLING_MS;
    for (const { tab, at } of this.#members.values()) {
      if (at < settled && isAbsent(tab)) this.#members.delete(tab);
    }
  }

  #begin(failures = 0) {
    clearTimeout(this.#gathering);
    const members = [...this.#members.values()];
    if (!this.#tabs.leads || members.length === 0) return;
    const user = members.at(-1)?.user ?? null; // the newest tab knows best who is signed in
    const theirs = members.filter((member) => member.user === user);
    for (const member of theirs) this.#advance(member);
    if (this.#refusedFor !== user || this.#refusedTopics.size > MAX_REFUSED_TOPICS)
      this.#refusedTopics.clear();
    this.#refusedFor = user;
    const options = { user, maxLine: this.#maxLine, refused: this.#refusedTopics };
    const { members: ours, topics, cursors } = planRound(theirs, options);
    this.#plan = { topics, cursors, user };
    this.#round = uuid();
    for (const member of ours) member.round = this.#round;
    const tabs = ours.map(({ tab }) => tab);
    this.#tabs.post(ROUND_STARTED, { round: this.#round, user, tabs, topics });
    this.#stream.open(topics, cursors, user, failures);
  }

  /**
   * A tab of the last round has received all of its events, so it can go on from the stream's position.
   * @param {Parley.Member} member
   */
  #advance(member) {
    const { position } = this.#stream;
    if (member.round === null || member.round !== this.#round || !position) return;
    member.cursors = [position];
    if (member.counts) member.counts = { ...member.counts, cursors: [position] };
  }

  // Somebody looks at a tab again, or has heard nothing for long.
  #poked() {
    this.#stream.hurry();
    this.#post(ROUND_STATE, { state: this.#stream.state });
  }

  /**
   * @param {string} kind
   * @param {object} data
   */
  #post(kind, data) {
    if (this.#round) this.#tabs.post(kind, { round: this.#round, ...data });
  }
}
