// Backbone's tests want QUnit, and bring their own set-up.

import { loadOurs, loadSuite } from "./load.js";

const passed = [];
const failed = [];
let wrong = [];

QUnit.config.testTimeout = 5_000;

QUnit.log(({ result, message, actual, expected }) => {
  if (!result) wrong.push(`${message ?? "wrong"}: ${JSON.stringify({ actual, expected })}`);
});
QUnit.testDone(({ module, name, failed: failures }) => {
  if (failures === 0) passed.push(`${module}: ${name}`);
  else failed.push(`${module}: ${name}: ${wrong.join("; ")}`);
  wrong = [];
});
QUnit.done(() => {
  window.verdict = { passed, failed };
});

await loadOurs();
if (window.told.ours.length > 0) giveViewsJquery();
await loadSuite();
QUnit.start();

// The tests of views look at them through jQuery. This adds `$el`, and elements made by jQuery, to ours. Listeners stay
// with the methods that are tested.
function giveViewsJquery() {
  const view = Backbone.View.prototype;
  const setElement = view._setElement;
  view._setElement = function (el) {
    this.$el = el instanceof $ ? el : $(el);
    setElement.call(this, this.$el[0]);
  };
  view.$ = function (selector) {
    return this.$el.find(selector);
  };
}
