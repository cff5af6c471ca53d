const WORDS = {
  idle: "",
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  offline: "Offline. New comments will come when the connection is back.",
};

/** The connection light: only a dot while all is well. */
export const LightView = Backbone.View.extend({
  initialize() {
    this.listenTo(this.model, "change:state", this.render);
    this.render();
  },

  render() {
    const state = this.model.get("state");
    this.el.dataset.state = state;
    this.el.hidden = state === "idle";
    this.el.querySelector(".light__words").textContent = WORDS[state];
  },
});
