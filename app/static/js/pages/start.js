import { showWithPage } from "../core/lazy_part.js";

/** The front page. */
export function startFront({ commentables: collection }) {
  showWithPage(".front__list", () => import("./cards_view.js"), { collection });
}
