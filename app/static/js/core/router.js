/** Starts the code of this page by its address. Links load new pages; the router does not navigate. */
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

  /** `pages`: a function for each page that needs code. */
  initialize(pages) {
    for (const [name, start] of Object.entries(pages)) this.on(`route:${name}`, start);
  },
});
