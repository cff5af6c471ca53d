import { MENU_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The buttons that open the menu of a comment (menu_view.js). `el` is the thread's section. */
export const MenuButtonView = ComponentView.extend({
  events: {
    "click .comment__more": "toggle",
    "keydown .comment__more": "openByKey",
  },

  toggle({ delegateTarget: button }) {
    this.bus.trigger(MENU_WANTED, button, "toggle");
  },

  openByKey(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    this.bus.trigger(MENU_WANTED, event.delegateTarget, "open");
  },
});
