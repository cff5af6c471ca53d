import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { ListedView } from "./listed_view.js";

const SHOWN = 10; // entries before somebody asks for all; the server stores at most 1,000

/** @typedef {{ list: ViewList, isRead: boolean, isWhole: boolean }} Fields */

/**
 * A list on the account page, whose entries each have a button that ends them. The stream has no events about it, so it
 * is read again each time the window gets the focus. To be extended, with
 *
 *   url        the path of the list
 *   verb       of the buttons: "Unmute"
 *   entriesIn  (response) returns [{id, name, href}]. `id`: the path at which a DELETE ends the entry. `href`: the
 *              address of its page, if it has one
 *   sentence   (name) says that an entry has ended
 */
export const ListingView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "listing",
  events: { "click .listed__end": "end", "click .listing__all": "showAll" },

  url: "",
  verb: "",
  lastRead: 0,

  initialize() {
    this.collection = new Backbone.Collection();
    this.list = new ViewList(
      this.part("list"),
      (model) => new ListedView({ model, verb: this.verb }),
      () => this.focusHeading(),
    );
    this.listenTo(this.account, "change:id", this.restart);
    window.addEventListener("focus", () => this.refetch().catch(() => {})); // the list stays as it is
    this.restart();
  },

  restart() {
    this.isRead = false;
    this.isWhole = false;
    this.collection.reset();
    this.render();
    this.attempt(() => this.refetch());
  },

  /** Of several reads at a time, the one that began last counts. Rejects with a Problem. */
  async refetch() {
    this.lastRead += 1;
    const read = this.lastRead;
    if (!this.account.isSignedIn()) return;
    const response = await this.account.request("read", this.url);
    if (read !== this.lastRead) return;
    this.isRead = true;
    this.collection.set(this.entriesIn(response));
    this.showProblem("");
    this.render();
  },

  render() {
    const { models } = this.collection;
    const shown = this.isWhole ? models : models.slice(0, SHOWN);
    this.part("none").hidden = !this.isRead || models.length > 0;
    this.part("all").hidden = shown.length === models.length;
    this.part("all").textContent = `Show all ${models.length}`;
    return this.list.show(shown);
  },

  // The button disappears, so the focus moves to the first entry that it has shown.
  showAll() {
    this.isWhole = true;
    this.render()[SHOWN].part("end").focus();
  },

  async end({ delegateTarget: button }) {
    const { id, name } = this.collection.get(button.closest(".listed").dataset.id).attributes;
    if (await this.attempt(() => this.account.request("delete", id))) return;
    this.announce(this.sentence(name));
    await this.attempt(() => this.refetch());
  },

  /** @returns {Backbone.Attributes[]} */
  entriesIn: (_response) => [],

  sentence: (_name) => "",
});
