import { HostLine } from "./host_line.js";

/** @typedef {{ line: any, asked: string[], refused: string[] }} Fields */

/**
 * Tells numbers of comments to the page around this iframe. It shows nothing.
 *
 *   counts   to the host   {counts, refused}: the numbers, and what is wrong with the names that have no number, both by the
 *                          host's names
 *
 * `asked`: the topics by the host's names. `refused`: sent unchanged.
 */
export const CountsView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({
  initialize({ asked, refused }) {
    Object.assign(this, { asked, refused });
    this.line = new HostLine(() => this.render());
    this.listenTo(this.collection, "add change:comments_count window", this.render);
    this.line.open();
  },

  render() {
    const counts = _.mapObject(this.asked, (topic) =>
      this.collection.named(topic)?.get("comments_count"),
    );
    this.line.tell("counts", { counts, refused: this.refused });
  },
});
