import { ACCOUNT_LEFT, LOGIN_RENEWED } from "../core/events.js";

/**
 * The live collections of this page, and the stream that follows their topics. The page has a snapshot of each
 * with its cursor. The stream continues from these cursors, so it delivers every change after the snapshots.
 */
export class LivePage {
  #app;
  #collections = [];
  #topics; // public ones; the server adds the account's own topic, and the moderators', itself
  #accountSwitches = 0;

  /**
   * Create it before the tabs (tabs.js): once these have triggered TAB_SUSPENDED, the outbox stores no change until the
   * page is back.
   */
  constructor(app) {
    this.#app = app;
    this.#topics = app.page.topics.filter((topic) => !topic.startsWith("User/"));
    window.addEventListener("pagehide", () => this.#each("handlePageHide"));
  }

  /** Make a live collection with this snapshot. `topic` and `place` are by default those of the page. */
  add(Collection, snapshot, options = {}) {
    const [topic = ""] = this.#topics;
    const place = { topic, place: placeOf(topic) };
    const collection = new Collection([], { ...place, ...this.#app, ...options });
    collection.setUser(this.#viewer());
    if (snapshot) collection.replace(snapshot);
    this.#collections.push(collection);
    return collection;
  }

  /** Open the stream. Every collection and view has to exist. */
  start() {
    const { account, connector, outbox, page } = this.#app;
    account.on("change", () => account.hasOtherRights() && this.#switchAccount());
    account.on(ACCOUNT_LEFT, (reason) => this.#handleLeft(reason));
    account.on(LOGIN_RENEWED, () => connector.resume());
    outbox.setUser(this.#viewer());
    this.#openStream(page.cursors, [page.commentables?.cursor]);
  }

  // Another account uses this page: read all snapshots for it, and open the stream from their cursors.
  async #switchAccount() {
    this.#accountSwitches += 1;
    const current = this.#accountSwitches;
    const { account, connector, outbox } = this.#app;
    connector.close();
    this.#each("endUndo");
    if (account.isSignedIn()) outbox.setUser(account.id);
    else outbox.hold();
    this.#each("setUser", this.#viewer());
    const snapshots = await Promise.all(this.#each("refetch"));
    if (current !== this.#accountSwitches) return;
    const [ofCounts, others] = _.partition(snapshots, (snapshot) => snapshot.commentables);
    this.#openStream(..._.map([others, ofCounts], (some) => some.flatMap(({ cursor }) => cursor)));
  }

  // After a deliberate sign-out, the page shows no unsent changes; the outbox keeps them for the next sign-in. If the
  // account was deleted, they are discarded.
  #handleLeft(reason) {
    if (reason === "deleted") this.#app.outbox.discardAll();
    if (reason === "signed_out") this.#app.outbox.setUser(null);
  }

  // A guest without topics needs no stream. An account always has its own topic.
  #openStream(cursors, countCursors) {
    const { account, commentables, connector } = this.#app;
    const counts = { topics: commentables?.topics() ?? [], cursors: _.compact(countCursors) };
    const hasTopics = this.#topics.length + counts.topics.length > 0 || account.isSignedIn();
    if (hasTopics) connector.open(this.#topics, _.compact(cursors), counts);
    else connector.close();
  }

  #viewer() {
    return this.#app.account.id ?? null;
  }

  #each(method, ...args) {
    return this.#collections.map((collection) => collection[method](...args));
  }
}

// "Article/1": the type ends at the first slash.
function placeOf(topic) {
  const slash = topic.indexOf("/");
  return { commentable_type: topic.slice(0, slash), commentable_id: topic.slice(slash + 1) };
}
