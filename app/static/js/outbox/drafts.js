import { named } from "../core/base.js";
import { Evented } from "../core/evented.js";
import { ACCOUNT_LEFT, DRAFT_DISCARDED, DRAFTS_CHANGED, DRAFTS_ERASED } from "../core/events.js";
import { LocalStorage } from "../core/local_storage.js";
import { uuid } from "../core/uuid.js";
import { Draft, understood } from "./draft.js";

const PREFIX = named("parley.draft");
const GUEST = "guest";
const DAY_MS = 86_400_000;
const MOST = 50; // in this browser; beyond them the oldest go
const AGE_MS = 30 * DAY_MS;
const GUESTS_AGE_MS = DAY_MS; // nobody's name is on it: whoever comes next would read it

/** The prefix of a reply's place. The id of the comment that it answers follows. */
export const REPLY = "reply:";

/**
 * What people were typing in this browser. A draft is a person's (an account's, or the guest's), of a place (a topic for
 * its composer, a comment's id for its editor) and of a tab, so that two tabs do not write over each other:
 *
 *   parley.draft:<person>:<tab>:<place>  →  {body, base, at, topic, closed}
 *
 * Drafts of a guest go to the next person who signs in. If somebody signs out on this page (sign_out_view.js asks first),
 * or deletes the account, their drafts are deleted, because others may use this computer, and "erased" is triggered. A
 * login that expires, or ends in another tab or on another device, deletes nothing. The drafts are then shown to nobody
 * else, and are there when their author signs in again. "changed" is triggered when a draft is put aside or removed.
 */
export class Drafts extends Evented {
  /** @type {Parley.Account} */ #account;
  #shelf = new LocalStorage();
  #tab = tab();
  /** @type {string | null} */ #person = null;

  constructor(account) {
    super();
    this.#account = account;
    this.#sweep();
    this.#welcome();
    this.listenTo(account, "change:id", this.#welcome);
    this.listenTo(account, ACCOUNT_LEFT, this.#left);
    window.addEventListener("beforeunload", (event) => this.#warn(event));
  }

  /** What this person was typing there: {body, base}, or null. */
  of(place) {
    return this.at(place).read();
  }

  /** Where what this person types there is kept. */
  at(place, topic = null) {
    return new Draft(this, this.#key(this.#account.id ?? GUEST, this.#tab, place), topic);
  }

  /** All drafts of this person in this browser: {key, place, body, base, topic, closed}. */
  all() {
    const person = this.#account.id ?? GUEST;
    return this.#all().filter((draft) => draft.person === person && draft.body !== "");
  }

  /** The places whose names begin so where this person was typing something. */
  places(beginning) {
    const places = new Set(this.all().map(({ place }) => place));
    return [...places].filter((place) => place.startsWith(beginning));
  }

  /** Remove a draft that its author does not want any more. Triggers "discarded" (draft). */
  discard(draft) {
    this.remove(draft.key);
    this.trigger(DRAFT_DISCARDED, draft);
  }

  // -- for Draft

  read(key) {
    return this.#shelf.get(key);
  }

  write(key, text) {
    const isNew = this.#shelf.get(key) === null;
    this.#shelf.put(key, text);
    if (isNew) this.#sweep();
  }

  remove(key) {
    if (this.#shelf.get(key) === null) return;
    this.#shelf.remove(key);
    this.trigger(DRAFTS_CHANGED);
  }

  /** Store a copy of this draft, as if another tab had written it. */
  copy(key) {
    const { person, place } = partsOf(key);
    this.#shelf.put(this.#key(person, uuid(), place), this.#shelf.get(key) ?? "");
  }

  /** The newest one of the same person and place that another tab wrote, or null. */
  elsewhere(key) {
    const { person, place } = partsOf(key);
    const others = this.#all().filter((draft) => draft.person === person && draft.place === place);
    return others.filter((draft) => draft.key !== key).sort(byAge)[0]?.key ?? null;
  }

  // If the browser cannot store drafts, it asks before the page is closed.
  #warn(event) {
    if (this.#shelf.isVolatile() && this.all().length > 0) event.preventDefault();
  }

  // -- people come and go

  #welcome() {
    if (!this.#account.isSignedIn()) return;
    this.#person = this.#account.id;
    for (const draft of this.#all()) if (draft.person === GUEST) this.#handOver(draft);
  }

  // The person may have a draft there already. If it has not grown into this one, both are kept.
  #handOver({ key, tab, place, text, body }) {
    const theirs = this.#key(this.#person, tab, place);
    const known = this.#shelf.get(theirs);
    if (known !== null && !body.includes(understood(known).body)) this.copy(theirs);
    this.#shelf.put(theirs, text);
    this.#shelf.remove(key);
  }

  #left(reason, isHere) {
    if (reason !== "deleted" && !isHere) return;
    for (const { key, person } of this.#all()) if (person === this.#person) this.remove(key);
    this.trigger(DRAFTS_ERASED);
  }

  // -- what there is

  #key(person, tab, place) {
    return [PREFIX, person, tab, place].join(":");
  }

  #all() {
    const ours = this.#shelf
      .keys()
      .filter((key) => NAME.test(key))
      .map(partsOf);
    return ours.map((draft) => {
      const text = this.#shelf.get(draft.key);
      return { ...draft, text, ...understood(text) };
    });
  }

  // Also what cannot be read: it would be there for ever.
  #sweep() {
    const all = this.#all().sort(byAge);
    const over = all.filter((draft, number) => number >= MOST || isStale(draft));
    for (const { key } of over) this.remove(key);
  }
}

const NAME = new RegExp(`^${PREFIX}:([^:]+):([^:]+):(.+)$`, "s");

const byAge = (one, other) => other.at - one.at;

function isStale({ person, at }) {
  return Date.now() - at > (person === GUEST ? GUESTS_AGE_MS : AGE_MS);
}

/** @param {string} key */
function partsOf(key) {
  const [, person, tab, place] = NAME.exec(key) ?? [];
  return { key, person, tab, place };
}

// A tab keeps its name when it is loaded again. It is laid down only as the page goes: a tab that is made as the copy of
// another gets its storage, too, and must not write under its name. Without storage it is a new one each time.
function tab() {
  const name = `${PREFIX}.tab`;
  try {
    const id = sessionStorage[name] ?? uuid();
    delete sessionStorage[name];
    window.addEventListener("pagehide", () => sessionStorage.setItem(name, id));
    window.addEventListener("pageshow", () => delete sessionStorage[name]);
    return id;
  } catch {
    return uuid();
  }
}
