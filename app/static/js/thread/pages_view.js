import { NEWER_CHANGED, WINDOW_CHANGED } from "../core/events.js";
import { SectionView } from "./section_view.js";

const WINDOW_PARAMETERS = ["before", "after", "around"]; // of the page's address

/**
 * The links from the loaded part of a thread to the rest of it. `el` is the thread's section.
 *
 * Each link has the address of a page that the server renders, for browsers without scripts. With scripts, a plain
 * click loads the comments into this page. A click with a modifier key opens the link elsewhere, as on any link.
 */
export const PagesView = SectionView.extend({
  events: {
    "click .thread__earlier": "loadEarlier",
    "click .thread__later": "loadLater",
    "click .thread__newest": "jumpToNewest",
  },

  initialize() {
    this.listenTo(this.collection, WINDOW_CHANGED, this.render);
    this.listenTo(this.collection, `update ${NEWER_CHANGED}`, this.renderCounts);
    this.listenTo(this.collection, "add", this.showOwn);
    this.render();
  },

  render() {
    const { before, after } = this.collection;
    const earlier = this.part("earlier");
    const hasReachedBeginning = !earlier.hidden && before === null;
    if (before !== null) setQuery(earlier, `?before=${before}`);
    if (after !== null) setQuery(this.part("later"), `?after=${after}`);
    // This note replaces the link and has the same height, so nothing moves.
    const showsBeginning =
      before === null && (hasReachedBeginning || !this.part("beginning").hidden);
    this.setHidden({
      earlier: before === null,
      beginning: !showsBeginning,
      rest: after === null,
      problem: true,
    });
    this.renderCounts();
  },

  renderCounts() {
    const { before, after, newer } = this.collection;
    const total = this.collection.total();
    const more = total === null ? 0 : total - this.collection.count();
    this.part("earlier-count").textContent = after === null && more > 0 ? ` (${more} more)` : "";
    const later = before === null && more > 0 ? more : newer.size;
    this.part("later-count").textContent = later > 0 ? ` (${later} more)` : "";
  },

  loadEarlier(event) {
    if (!isForThisPage(event)) return;
    this.load(
      this.part("earlier"),
      () => this.collection.loadEarlier(),
      "Earlier comments loaded.",
    );
  },

  loadLater(event) {
    if (!isForThisPage(event)) return;
    this.load(this.part("later"), () => this.collection.loadLater(), "Newer comments loaded.");
  },

  jumpToNewest(event) {
    if (isForThisPage(event)) this.goToNewest();
  },

  async goToNewest() {
    const link = this.part("newest");
    const hadFocus = link === document.activeElement;
    const read = () => this.collection.loadWindow({});
    if (!(await this.load(link, read, "Latest comments loaded."))) return;
    // The address may name a comment or a window that is not loaded now.
    const url = new URL(window.location.href);
    for (const name of WINDOW_PARAMETERS) url.searchParams.delete(name);
    window.history.replaceState(null, "", url.pathname + url.search);
    this.scrollToLast(hadFocus);
  },

  scrollToLast(hadFocus) {
    const element = document.getElementById(`comment-${this.collection.last()?.id}`);
    if (hadFocus) element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: "nearest", behavior: "instant" });
  },

  // A comment that a person writes is the newest one, so the newest page is loaded to show it. A reply is shown below
  // its parent.
  showOwn(comment) {
    const isRoot = comment.isNew() && comment.get("parent_id") === null;
    if (isRoot && this.collection.after !== null && document.hasFocus()) this.goToNewest();
  },

  /** Load a page, unless this link is loading one. Returns whether it was loaded. */
  async load(link, read, words) {
    if (link.ariaDisabled === "true") return false;
    link.ariaDisabled = "true";
    try {
      await read();
      this.announce(words);
      return true;
    } catch (problem) {
      this.showProblem(problem.message);
      return false;
    } finally {
      link.ariaDisabled = "false";
    }
  },

  showProblem(message) {
    this.part("problem").textContent = message;
    this.setHidden({ problem: false });
  },
});

/** Whether this click on a link is for this page. If so, the browser does not follow the link. */
function isForThisPage(event) {
  const { ctrlKey, metaKey, shiftKey, altKey } = event;
  if (ctrlKey || metaKey || shiftKey || altKey) return false;
  event.preventDefault();
  return true;
}

/**
 * Set the query of a link's address.
 * @type {(link: Element, query: string) => void}
 */
function setQuery(link, query) {
  if (link instanceof HTMLAnchorElement) link.search = query;
}
