import { MODERATION_DIALOG_WANTED } from "../core/events.js";
import { showWhenWanted, showWithPage } from "../core/lazy_part.js";
import { AuditLog } from "./audit_log.js";
import { BadgeView } from "./badge_view.js";
import { Reports } from "./reports.js";

/** The number of open reports on every page, the dialog that confirms an act of moderation, and the moderation page. */
export function startModeration(app) {
  const { live, page } = app;
  app.reports = live.add(Reports, page.reports);
  new BadgeView({ el: ".badge", collection: app.reports, ...app });
  showWhenWanted(MODERATION_DIALOG_WANTED, () => import("./moderation_dialog_view.js"), {
    el: ".decide",
    ...app,
  });
  if (!page.decisions) return;
  const lists = { reports: app.reports, decisions: live.add(AuditLog, page.decisions) };
  showWithPage(".desk", () => import("./moderation_page_view.js"), { ...lists, ...app });
}
