// The globals that a page has before its modules run: the libraries, the root element of the document, and a window. Each test file
// loads it first (`node --import`), because modules under app/static/js read them when they are imported.

import Backbone from "backbone";
import _ from "underscore";

Object.assign(globalThis, {
  _,
  Backbone,
  document: { documentElement: { dataset: {} } },
  window: new EventTarget(),
});
