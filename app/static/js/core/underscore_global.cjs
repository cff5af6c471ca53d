// Backbone requires this instead of Underscore. If it required an ES module, esbuild would wrap each of Underscore's modules
// in a function. libraries.js imports underscore.js before.
module.exports = window._;
