// @ts-nocheck: the modules have no types
//
// Underscore without the functions that nobody calls, which is 1.5 KB smaller. The build gives it to Backbone and to our
// own modules in place of the whole library.

import mixin from "../../../../node_modules/underscore/modules/mixin.js";
import _ from "../../../../node_modules/underscore/modules/underscore-array-methods.js";
import * as functions from "./underscore_functions.js";

mixin(functions);

export * from "./underscore_functions.js"; // Backbone takes the module itself for `_`
export default _;
