import { FOLLOW_MENU_WANTED, MENU_WANTED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";

/** The buttons that open the menu of a comment (menu_view.js), and the one of the conversation (follow_view.js). `el` is the thread's section. */
export const MenuButtonView = ComponentView.extend({
  events: {
    "click .comment__more": "toggle",
    "keydown .comment__more": "openByKey",
    "click .follow__button": "toggleFollow",
    "keydown .follow__button": "openFollowByKey",
  },

  toggleFollow() {
    this.bus.trigger(FOLLOW_MENU_WANTED, "toggle");
  },

  openFollowByKey(event) {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    this.bus.trigger(FOLLOW_MENU_WANTED, "open");
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
