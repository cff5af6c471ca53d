// The libraries that modules use without an import: the build gives every module these two names (`inject` in
// build.mjs). Consoles and tests find them in the window.

import "./underscore.js";
import "@github/relative-time-element";
import Backbone from "backbone";
import "backbone.radio";
import _ from "underscore";

Object.assign(window, { Backbone });

export { _, Backbone };
