import { showWithPage } from "../core/lazy_part.js";
import { BellView } from "./bell_view.js";
import { Notifications } from "./notifications.js";

/** The bell in the header, and the page with all notifications. */
export function startNotifications(app) {
  const collection = app.live.add(Notifications, app.page.notifications, { place: {} });
  app.notifications = collection;
  new BellView({ el: ".bell", collection, ...app });
  showWithPage(".inbox", () => import("./inbox_view.js"), { collection, ...app });
}
