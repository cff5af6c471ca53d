/** Which page this is. Links load pages as ever; the router only starts what belongs to the address. */
export const Router = Backbone.Router.extend({
  routes: {
    "": "front",
    account: "account",
    inbox: "inbox",
    moderation: "moderation",
    reset: "mailedLink",
    confirm: "mailedLink",
    unlock: "mailedLink",
    "dev/mail": "mail",
    "embed/:type/*id": "embedded",
    ":type/*id": "thread",
  },

  /** `pages`: what starts each; a page that needs nothing has none. */
  initialize(pages) {
    for (const [name, start] of Object.entries(pages)) this.on(`route:${name}`, start);
  },
});
