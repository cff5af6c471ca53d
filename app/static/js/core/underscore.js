// @ts-nocheck: the modules have no types
//
// Underscore without the functions that nobody calls. It is put into the window, where underscore_global.cjs finds it.

import mixin from "../../../../node_modules/underscore/modules/mixin.js";
import _ from "../../../../node_modules/underscore/modules/underscore-array-methods.js";
import * as functions from "./underscore_functions.js";

mixin(functions);
window._ = _;
