/** Which page this is. Links load pages as ever; the router only starts what belongs to the address. */
export const Router = Backbone.Router.extend({
  routes: { "": "front", ":type/*id": "thread" },

  initialize({ thread }) {
    this.on("route:thread", thread);
  },
});
