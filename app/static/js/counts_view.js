import { HostLine } from "./host_line.js";

/** Numbers of comments, told to the page whose iframe this is: `counts`, {"Article/1": 3, …}. There is nothing to see. */
export const CountsView = Backbone.View.extend({
  initialize() {
    this.line = new HostLine(() => this.render());
    this.listenTo(this.collection, "add change:comments_count window", this.render);
    this.line.open();
  },

  render() {
    const counts = this.collection.map((one) => [one.name(), one.get("comments_count")]);
    this.line.tell("counts", { counts: Object.fromEntries(counts) });
  },
});
