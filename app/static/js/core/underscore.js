// @ts-nocheck: the modules have no types
//
// Underscore with the functions that Backbone or our modules call, which build.mjs finds. It is put into the window, where underscore_global.cjs finds it.

import * as functions from "underscore:called";
import mixin from "../../../../node_modules/underscore/modules/mixin.js";
import _ from "../../../../node_modules/underscore/modules/underscore-array-methods.js";

mixin(functions);
window._ = _;
