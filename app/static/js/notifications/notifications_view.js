import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { byConversation } from "./by_conversation.js";
import { ConversationView } from "./conversation_view.js";

/**
 * A list of notifications by conversation, newest first. Options: `max`, how many it shows at most; `apply` (change),
 * which calls `change` to update the list, for example while it keeps the scroll position.
 */
export const NotificationsView = ComponentView.extend({
  initialize({ max = Number.POSITIVE_INFINITY, apply = (change) => change() }) {
    const takeFocus = () => this.takeFocus();
    const list = new ViewList(
      this.el,
      (topic) => new ConversationView({ model: topic, takeFocus }),
      takeFocus,
    );
    const show = () => {
      const conversations = byConversation(this.collection.models.toReversed().slice(0, max));
      for (const view of list.show([...conversations.keys()]))
        view.show(conversations.get(view.model));
    };
    this.listenTo(this.collection, "update reset sort", () => apply(show));
    show();
  },

  // The focused notification was removed. The keyboard continues from the panel or page around the list.
  takeFocus() {
    const around = /** @type {HTMLElement} */ (this.el.closest("[tabindex]"));
    around.focus({ preventScroll: true });
  },
});
