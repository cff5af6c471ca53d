import { HostLine } from "./host_line.js";

/**
 * Numbers of comments, told to the page whose iframe this is. There is nothing to see.
 *
 *   counts   to the host   {counts, refused}: numbers, and what is wrong with names that have none, each by the name that the
 *                          host has for it
 *
 * `asked`: the topics by the host's names. `refused`: as it is sent.
 */
export const CountsView = Backbone.View.extend({
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
