import { LOGIN_ENDED, LOGIN_RENEWED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { LoginView } from "./login_view.js";

const UNAUTHORIZED = 401;

/** @typedef {{ list: ViewList }} Fields */

/**
 * The list of the account's logins, with buttons to end them. The stream has no events about new logins, so the list is
 * read again each time the page becomes visible or gets the focus.
 */
export const LoginsView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "logins",
  events: {
    "click .login__end": "end",
    "click .logins__end-others": "endOthers",
  },

  initialize() {
    this.list = new ViewList(
      this.part("list"),
      (model) => new LoginView({ model }),
      () => this.focusHeading(),
    );
    this.listenTo(this.collection, "update reset", this.render);
    this.listenTo(this.account, "change:id", this.restart);
    this.listenTo(this.account, LOGIN_RENEWED, this.refetch);
    window.addEventListener("focus", () => this.refetch());
    document.addEventListener("visibilitychange", () => this.refetch());
    this.restart();
  },

  restart() {
    this.collection.forget();
    this.refetch();
  },

  refetch() {
    const isVisible = document.visibilityState === "visible";
    if (isVisible && this.account.isSignedIn()) this.attempt(() => this.collection.refetch());
  },

  render() {
    this.list.show(this.collection.models);
    this.part("end-others").hidden = this.collection.others().length === 0;
    this.renderPreviousSignIn();
  },

  // An unknown sign-in is a reason to change the password.
  renderPreviousSignIn() {
    const { last_at, last_address } = this.collection.signIns ?? {};
    this.part("before").hidden = !last_at;
    if (!last_at) return;
    this.part("before-time").setAttribute("datetime", last_at);
    this.part("before-address").textContent = last_address ?? "an unknown address";
  },

  async end({ delegateTarget: button }) {
    const login = this.collection.get(button.closest(".login").dataset.loginId);
    const problem = await this.attempt(() => this.collection.end(login));
    if (!problem) this.announce(`Signed out: ${login.get("device")}.`);
  },

  async endOthers() {
    if (await this.attempt(() => this.collection.endOthers())) return;
    this.focusHeading();
    this.announce("Signed out everywhere else.");
  },

  // A 401 means that this browser's login has ended.
  async attempt(act) {
    const problem = await ComponentView.prototype.attempt.call(this, act);
    if (problem?.status === UNAUTHORIZED) this.bus.trigger(LOGIN_ENDED, {});
    return problem;
  },
});
