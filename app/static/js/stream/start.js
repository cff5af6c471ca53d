import { AnnouncerView } from "../ui/announcer_view.js";
import { NoticeView } from "../ui/notice_view.js";
import { ConnectionStatus } from "./connection_status.js";
import { ConnectionStatusView } from "./connection_status_view.js";

/** The connection status, the notice about the end of a login, and the announcements for screen readers. */
export function startStatus(app) {
  new AnnouncerView({ el: ".announcer", ...app });
  new NoticeView({ el: ".notice", ...app });
  new ConnectionStatusView({ el: ".light", model: new ConnectionStatus({}, app), ...app });
}
