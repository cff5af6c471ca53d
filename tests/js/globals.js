// The globals that a page has before its modules run: the libraries, the root element of the document, and a window. Node
// loads this file before each test file (`node --import`), because modules in app/static/js read these globals when they
// are imported.

import Backbone from "backbone";
import _ from "underscore";

Object.assign(globalThis, {
  _,
  Backbone,
  document: { documentElement: { dataset: {} } },
  window: new EventTarget(),
});
