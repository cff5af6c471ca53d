// Backbone.Radio's tests want Mocha, Chai and Sinon, and what their own test/setup/setup.js makes global.

import * as chai from "/npm/chai/index.js";
import sinon from "/npm/sinon/pkg/sinon-esm.js";
import sinonChai from "/npm/sinon-chai/lib/sinon-chai.js";
import { loadOurs, loadSuite } from "./load.js";

const passed = [];
const failed = [];

await loadOurs();
chai.use(sinonChai);
Object.assign(window, { expect: chai.expect, Radio: Backbone.Radio, slice: Array.prototype.slice });
mocha.setup({ ui: "bdd", reporter: class {} });

beforeEach(function () {
  this.sinon = sinon.createSandbox();
  window.stub = this.sinon.stub.bind(this.sinon);
  window.spy = this.sinon.spy.bind(this.sinon);
});

afterEach(function () {
  Backbone.Radio.DEBUG = false;
  Backbone.Radio.reset();
  delete window.stub;
  delete window.spy;
  this.sinon.restore();
});

await loadSuite();
mocha
  .run()
  .on("pass", (test) => passed.push(test.fullTitle()))
  .on("fail", (test, error) => failed.push(`${test.fullTitle()}: ${error.message}`))
  .on("end", () => {
    window.verdict = { passed, failed };
  });
