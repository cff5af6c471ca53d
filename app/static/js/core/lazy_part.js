// Parts of the app whose code is loaded by import() when somebody needs them. A thread's page can show, write, send and
// receive comments without any of them.

import { reloadAfterUpgrade } from "../offline/upgrade_recovery.js";
import { bus } from "./bus.js";
import { PART_FAILED, PART_LOADED } from "./events.js";

/**
 * One such part. If an import fails because of an upgrade, the page reloads (upgrade_recovery.js). Otherwise the notice
 * says so and offers to try again (notice_view.js). The next action of a person that needs the part tries again, too.
 */
export class LazyPart {
  /** How many imports are under way in this page. */
  static loading = 0;
  #load;
  #importing = null;
  #module = null;

  /** `load` () imports the module. */
  constructor(load) {
    this.#load = load;
  }

  /** Call `act` (module): now if the code is here, else once it is. */
  use(act) {
    if (this.#module) act(this.#module);
    else this.#import().then(act, () => this.#fail(act));
  }

  /** Load the code before somebody needs it. A failure is silent. */
  prepare() {
    this.#import().catch(() => {});
  }

  async #fail(act) {
    if (!(await reloadAfterUpgrade())) bus.trigger(PART_FAILED, () => this.use(act));
  }

  async #import() {
    this.#importing ??= this.#load();
    LazyPart.loading += 1;
    try {
      this.#module = await this.#importing;
      bus.trigger(PART_LOADED);
      return this.#module;
    } catch (error) {
      this.#importing = null;
      throw error;
    } finally {
      LazyPart.loading -= 1;
    }
  }
}

/**
 * Show a view when `event` is first triggered on the bus. The view listens to the event itself, and the last event that
 * came before is repeated for it. `load` () imports a module that exports this view only.
 */
export function showWhenWanted(event, load, options) {
  const part = new LazyPart(load);
  let isShown = false;
  let last = [];
  const want = (...args) => {
    last = args;
    part.use((module) => {
      if (isShown) return;
      isShown = true;
      bus.off(event, want);
      show(module, options);
      bus.trigger(event, ...last);
    });
  };
  bus.on(event, want);
}

/**
 * Show the view of an element of the page, if the page has it. If a person uses its buttons and forms before, that is
 * repeated.
 */
export function showWithPage(selector, load, options) {
  const el = document.querySelector(selector);
  if (!el) return;
  const release = holdPresses(el);
  new LazyPart(load).use((module) => {
    show(module, { ...options, el });
    release();
  });
}

function show(module, options) {
  const [View] = Object.values(module);
  new View(options);
}

// Returns a function that repeats the presses.
function holdPresses(el) {
  const pressed = new Map(); // a button or form → how to press it again
  const hold = (event) => {
    const { target, submitter } = event;
    const button = target.closest("button[type=button]");
    if (event.type === "submit") pressed.set(target, () => target.requestSubmit(submitter));
    else if (button) pressed.set(button, () => button.click());
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  for (const type of ["click", "submit"]) el.addEventListener(type, hold, true);
  return () => {
    for (const type of ["click", "submit"]) el.removeEventListener(type, hold, true);
    for (const press of pressed.values()) press();
  };
}
