import { STREAM_STATE } from "./events.js";

const PATIENCE_MS = 1_500;

/** How the connection is, as far as a person should care: a hiccup shorter than that is none. */
export const Light = Backbone.Model.extend({
  defaults: { state: "idle" },

  initialize(_, { bus }) {
    this.timer = 0;
    this.listenTo(bus, STREAM_STATE, this.turn);
  },

  turn(state) {
    clearTimeout(this.timer);
    const calm = state === "live" || state === "idle";
    if (calm || this.get("state") !== "live") this.set({ state });
    else this.timer = setTimeout(() => this.set({ state }), PATIENCE_MS);
  },
});
