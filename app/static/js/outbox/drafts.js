import { named } from "../core/base.js";
import { Evented } from "../core/evented.js";
import { ACCOUNT_LEFT, DRAFT_DISCARDED, DRAFTS_CHANGED, DRAFTS_ERASED } from "../core/events.js";
import { LocalStorage } from "../core/local_storage.js";
import { uuid } from "../core/uuid.js";
import { Draft, parseDraft } from "./draft.js";

const PREFIX = named("parley.draft");
const GUEST = "guest";
const DAY_MS = 86_400_000;
const MAX_DRAFTS = 50; // in this browser; beyond it the oldest are removed
const MAX_AGE_MS = 30 * DAY_MS;
const MAX_GUEST_AGE_MS = DAY_MS; // no account protects a guest's draft: the next guest can read it

/** The prefix of a reply's place. The id of the comment that it answers follows. */
export const REPLY = "reply:";

/**
 * The texts that people were typing in this browser. A draft belongs to a person (an account, or the guest), to a place
 * (a topic for its composer, a comment's id for its editor) and to a tab, so that two tabs do not overwrite each
 * other's:
 *
 *   parley.draft:<person>:<tab>:<place>  →  {body, base, at, topic, closed}
 *
 * Drafts of a guest go to the next person who signs in. If somebody signs out on this page (sign_out_view.js asks
 * first), or deletes the account, their drafts are deleted, because others may use this computer; this triggers
 * DRAFTS_ERASED. A login that expires, or ends in another tab or on another device, deletes nothing. The drafts are
 * then shown to nobody else, and are there when their author signs in again. DRAFTS_CHANGED is triggered when a draft
 * is put aside or removed.
 */
export class Drafts extends Evented {
  /** @type {Parley.Account} */ #account;
  #storage = new LocalStorage();
  #tab = tabId();
  /** @type {string | null} */ #person = null; // the last account that was signed in

  constructor(account) {
    super();
    this.#account = account;
    this.#removeOld();
    this.#adoptGuestDrafts();
    this.listenTo(account, "change:id", this.#adoptGuestDrafts);
    this.listenTo(account, ACCOUNT_LEFT, this.#handleLeft);
    window.addEventListener("beforeunload", (event) => this.#confirmUnload(event));
  }

  /** This person's draft at this place, in this tab. */
  at(place, topic = null) {
    return new Draft(this, this.#key(this.#account.id ?? GUEST, this.#tab, place), topic);
  }

  /** All drafts of this person in this browser: {key, place, body, base, topic, closed}. */
  all() {
    const person = this.#account.id ?? GUEST;
    return this.#all().filter((draft) => draft.person === person && draft.body !== "");
  }

  /** Remove a draft that its author does not want any more. Triggers DRAFT_DISCARDED (draft). */
  discard(draft) {
    this.remove(draft.key);
    this.trigger(DRAFT_DISCARDED, draft);
  }

  // -- for Draft

  read(key) {
    return this.#storage.get(key);
  }

  write(key, text) {
    const isNew = this.#storage.get(key) === null;
    this.#storage.put(key, text);
    if (isNew) this.#removeOld();
  }

  remove(key) {
    if (this.#storage.get(key) === null) return;
    this.#storage.remove(key);
    this.trigger(DRAFTS_CHANGED);
  }

  /** Store a copy of this draft, as if another tab had written it. */
  copy(key) {
    const { person, place } = parseKey(key);
    this.#storage.put(this.#key(person, uuid(), place), this.#storage.get(key) ?? "");
  }

  /** The key of the newest draft of the same person and place that another tab wrote, or null. */
  findInOtherTab(key) {
    const { person, place } = parseKey(key);
    const others = this.#all().filter((draft) => draft.person === person && draft.place === place);
    return others.filter((draft) => draft.key !== key).sort(newestFirst)[0]?.key ?? null;
  }

  // If the browser cannot store drafts, it asks before the page is closed.
  #confirmUnload(event) {
    if (this.#storage.isVolatile() && this.all().length > 0) event.preventDefault();
  }

  // -- sign-in and sign-out

  #adoptGuestDrafts() {
    if (!this.#account.isSignedIn()) return;
    this.#person = this.#account.id;
    for (const draft of this.#all()) if (draft.person === GUEST) this.#adopt(draft);
  }

  // The person may have a draft at the same place. Both are kept, unless the guest's draft contains it.
  #adopt({ key, tab, place, text, body }) {
    const adopted = this.#key(this.#person, tab, place);
    const existing = this.#storage.get(adopted);
    if (existing !== null && !body.includes(parseDraft(existing).body)) this.copy(adopted);
    this.#storage.put(adopted, text);
    this.#storage.remove(key);
  }

  #handleLeft(reason, isHere) {
    if (reason !== "deleted" && !isHere) return;
    for (const { key, person } of this.#all()) if (person === this.#person) this.remove(key);
    this.trigger(DRAFTS_ERASED);
  }

  // -- the storage

  #key(person, tab, place) {
    return [PREFIX, person, tab, place].join(":");
  }

  #all() {
    const keys = this.#storage.keys().filter((key) => KEY.test(key));
    return keys.map((key) => {
      const text = this.#storage.get(key);
      return { ...parseKey(key), text, ...parseDraft(text) };
    });
  }

  // A text that cannot be parsed counts as very old, and is removed as well.
  #removeOld() {
    const all = this.#all().sort(newestFirst);
    const old = all.filter((draft, index) => index >= MAX_DRAFTS || isStale(draft));
    for (const { key } of old) this.remove(key);
  }
}

const KEY = new RegExp(`^${PREFIX}:([^:]+):([^:]+):(.+)$`, "s");

const newestFirst = (one, other) => other.at - one.at;

function isStale({ person, at }) {
  return Date.now() - at > (person === GUEST ? MAX_GUEST_AGE_MS : MAX_AGE_MS);
}

/** @param {string} key */
function parseKey(key) {
  const [, person, tab, place] = KEY.exec(key) ?? [];
  return { key, person, tab, place };
}

// A tab keeps its id when it is reloaded. The id is stored only while no page uses it: a duplicated tab gets a copy of
// the session storage, and must not write under the same id. Without storage a tab gets a new id each time.
function tabId() {
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
