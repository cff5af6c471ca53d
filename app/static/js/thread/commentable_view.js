import { isolated } from "../ui/isolated.js";
import { keepScrollPosition } from "../ui/scroll_anchor.js";
import { SectionView } from "./section_view.js";

const CLOSED = "Comments are closed.";
const REOPENED = "This conversation is open again.";

/** @typedef {{ model: Parley.Commentable }} Fields */

/**
 * The commentable's title, the note that the conversation is locked, and whether the composer is shown. `el` is the
 * thread's section.
 */
export const CommentableView = /** @type {SectionWith<Fields>} */ (SectionView).extend({
  initialize() {
    this.listenTo(this.model, "change:title", this.renderTitle);
    this.listenTo(this.model, "change:locked", this.announceLock);
    this.listenTo(this.account, "change", this.renderLock);
    this.renderLock();
  },

  renderTitle() {
    const heading = document.querySelector(".article__title");
    const title = this.model.get("title");
    if (!heading || title === "") return; // without a new title, the page keeps the old one
    heading.textContent = title;
    document.title = `${isolated(title)} · Parley`;
  },

  announceLock() {
    this.renderLock();
    const words = this.model.get("locked") ? CLOSED : REOPENED;
    this.announce(words);
  },

  renderLock() {
    const locked = this.model.get("locked");
    const isOpen = !this.model.isClosedTo(this.account);
    const [note, composer] = [".thread__locked", ".composer"].map((name) =>
      this.el.querySelector(name),
    );
    composer.classList.toggle("is-closed", !isOpen);
    if (note.hidden === !locked && composer.hidden === !isOpen) return;
    const hadFocus = composer.contains(document.activeElement);
    keepScrollPosition(this.part("list"), () => {
      note.hidden = !locked;
      composer.hidden = !isOpen;
    });
    if (hadFocus && !isOpen) note.focus({ preventScroll: true });
  },
});
