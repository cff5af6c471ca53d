/** A class whose objects have Backbone's events: `on`, `trigger` and the others. */
export const Evented = /** @type {new () => Backbone.Events} */ (
  /** @type {unknown} */ (function Evented() {})
);

Object.assign(Evented.prototype, Backbone.Events);
