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
 * Make a view when `event` is first triggered on the bus. `make` (module) makes it, and it listens to the event itself.
 * The last event that came before is repeated for it.
 */
export function makeWhenWanted(event, load, make) {
  const part = new LazyPart(load);
  let isMade = false;
  let last = [];
  const want = (...args) => {
    last = args;
    part.use((module) => {
      if (isMade) return;
      isMade = true;
      bus.off(event, want);
      make(module);
      bus.trigger(event, ...last);
    });
  };
  bus.on(event, want);
}

/** Make the view of an element of the page. If a person uses buttons and forms of it meanwhile, that is repeated. */
export function makeFor(el, load, make) {
  const release = holdPresses(el);
  new LazyPart(load).use((module) => {
    make(module);
    release();
  });
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
