import { AUTH_DIALOG_WANTED, SIGN_OUT_WANTED } from "../core/events.js";
import { showWhenWanted, showWithPage } from "../core/lazy_part.js";
import { AccountView } from "./account_view.js";
import { AuthButtonsView } from "./auth_buttons_view.js";
import { RevealView } from "./reveal_view.js";

/** The account in the header, the dialogs to sign in and out, and the pages about the account. */
export function startAccount(app) {
  const body = { el: document.body, ...app };
  new AccountView({ el: ".account", ...app });
  new RevealView(body);
  new AuthButtonsView(body);
  showWhenWanted(AUTH_DIALOG_WANTED, () => import("./auth_dialog_view.js"), {
    el: ".entry",
    ...app,
  });
  showWhenWanted(SIGN_OUT_WANTED, () => import("./sign_out_view.js"), { el: ".sign-out", ...app });
  showWithPage(".settings", () => import("./settings_view.js"), app);
  showWithPage(".mailed-link", () => import("./mailed_link_view.js"), app);
}
