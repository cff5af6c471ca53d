// What the leading tab does for all: one stream of all their topics, and each event of it told to every tab.
//
// 1. A *round* is one opening of the stream, for the tabs whose cursors it began from. A tab takes events of a
//    round it is in, and of no other: so its own cursor may follow the round's, and nothing falls in between.
// 2. A tab that comes later makes a new round: its snapshot may be older than where the stream is.
// 3. Once all tabs have answered the call, nothing is waited for: in a hidden tab a timer may take a minute.

import { Stream } from "./stream.js";
import { uuid } from "./uuid.js";

const GATHER_MS = 100; // for all tabs to answer
const SETTLING_MS = 5_000; // in which a new tab need not be seen yet
// In a round: the server takes a hundred cursors and topics, and adds an account's own and the moderators'. Who does not
// fit in was looked at longest ago.
const MOST_TABS = 90;
const MOST_CURSORS = 100;
const MOST_TOPICS = 98;

export class Relay {
  #tabs;
  #stream;
  #answered = new Set(); // ids of tabs
  #members = new Map(); // id → {tab, user, topics, cursors, at, round}, of those that have something to follow
  #round = null;
  #gathering = 0;

  constructor(tabs) {
    this.#tabs = tabs;
    this.#stream = new Stream({
      hear: (name, data, id) => this.#post("event", { name, data, id }),
      tell: (state) => this.#post("state", { state }),
      presence: true,
    });
    tabs.on("lead", () => this.#lead());
    tabs.on("yield", () => this.#close());
    tabs.on("join", (member) => tabs.leads && this.#join(member));
    tabs.on("part", ({ tab }) => tabs.leads && this.#part(tab));
    tabs.on("poke", () => tabs.leads && this.#poked());
    window.addEventListener("online", () => this.#stream.renew());
    window.addEventListener("offline", () => this.#stream.despair());
  }

  #lead() {
    this.#answered.clear();
    this.#members.clear();
    this.#tabs.post("call");
  }

  #close() {
    clearTimeout(this.#gathering);
    this.#round = null; // what the stream still says is nobody's
    this.#stream.close();
  }

  #join(member) {
    this.#answered.add(member.tab);
    this.#members.delete(member.tab);
    this.#members.set(member.tab, { ...member, at: performance.now(), round: null });
    this.#gather();
  }

  // Its topics go with the next round.
  #part(tab) {
    this.#answered.add(tab);
    this.#members.delete(tab);
    if (this.#members.size === 0) this.#close();
  }

  async #gather() {
    clearTimeout(this.#gathering);
    const timer = setTimeout(() => this.#begin(), GATHER_MS);
    this.#gathering = timer;
    const present = await this.#tabs.present();
    this.#forget((tab) => !present.includes(tab));
    const isLast = timer === this.#gathering;
    if (isLast && present.every((tab) => this.#answered.has(tab))) this.#begin(); // (3)
  }

  #forget(isAbsent) {
    const settled = performance.now() - SETTLING_MS;
    for (const { tab, at } of this.#members.values()) {
      if (at < settled && isAbsent(tab)) this.#members.delete(tab);
    }
  }

  #begin() {
    clearTimeout(this.#gathering);
    const members = [...this.#members.values()].slice(-MOST_TABS);
    if (!this.#tabs.leads || members.length === 0) return;
    const { user } = members.at(-1); // who came last knows best who looks
    const theirs = members.filter((member) => member.user === user);
    for (const member of theirs) this.#advance(member);
    const ours = fitting(theirs);
    this.#round = uuid();
    for (const member of ours) member.round = this.#round;
    this.#tabs.post("round", { round: this.#round, user, tabs: ours.map(({ tab }) => tab) });
    this.#stream.open(all(ours, "topics"), all(ours, "cursors"), user);
  }

  // Who was in the last round has heard all of it.
  #advance(member) {
    const { position } = this.#stream;
    if (member.round !== null && member.round === this.#round && position)
      member.cursors = [position];
  }

  // Somebody looks at a tab again, or has heard nothing for long.
  #poked() {
    this.#stream.hurry();
    this.#post("state", { state: this.#stream.state });
  }

  #post(kind, data) {
    if (this.#round) this.#tabs.post(kind, { round: this.#round, ...data });
  }
}

function fitting(members) {
  const first = members.findIndex((_member, index) => fits(members.slice(index)));
  return members.slice(first); // the last alone always does
}

const fits = (members) =>
  all(members, "topics").length <= MOST_TOPICS && all(members, "cursors").length <= MOST_CURSORS;
const all = (members, what) => [...new Set(members.flatMap((member) => member[what]))];
