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
await loadSuite();
QUnit.start();
