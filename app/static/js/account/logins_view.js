import { ANNOUNCEMENT, LOGIN_END_WANTED, LOGIN_ENDED, LOGIN_RENEWED } from "../core/events.js";
import { ComponentView } from "../ui/component_view.js";
import { ViewList } from "../ui/view_list.js";
import { LoginView } from "./login_view.js";

const UNAUTHORIZED = 401;

/** @typedef {{ bus: Backbone.Events, account: Parley.Account, list: ViewList }} Fields */

/** The list of logins, and how to end those one does not want. No event tells of others' comings: it looks again. */
export const LoginsView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "logins",
  events: { "click .logins__end-others": "endOthers" },

  initialize({ bus, account }) {
    this.bus = bus;
    this.account = account;
    this.list = new ViewList(
      this.part("list"),
      (login) => this.viewOf(login),
      () => this.takeFocus(),
    );
    this.listenTo(this.collection, "update reset", this.render);
    this.listenTo(account, "change:id", this.begin);
    this.listenTo(account, LOGIN_RENEWED, this.look);
    window.addEventListener("focus", () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
    this.begin();
  },

  begin() {
    this.collection.forget();
    this.look();
  },

  look() {
    const seen = document.visibilityState === "visible";
    if (seen && this.account.isSignedIn()) this.act(() => this.collection.refetch());
  },

  render() {
    this.list.show(this.collection.models);
    this.part("end-others").hidden = this.collection.others().length === 0;
    this.renderBefore();
  },

  viewOf(login) {
    const view = new LoginView({ model: login });
    this.listenTo(view, LOGIN_END_WANTED, this.end);
    return view;
  },

  takeFocus() {
    this.part("heading").focus({ preventScroll: true });
  },

  // Somebody who was not there then has a reason to change the password.
  renderBefore() {
    const { last_at, last_address } = this.collection.signIns ?? {};
    this.part("before").hidden = !last_at;
    if (!last_at) return;
    this.part("before-time").setAttribute("datetime", last_at);
    this.part("before-address").textContent = last_address ?? "an unknown address";
  },

  async end(login) {
    const done = await this.act(() => this.collection.end(login));
    if (done) this.bus.trigger(ANNOUNCEMENT, `Signed out: ${login.get("device")}.`);
  },

  async endOthers() {
    const done = await this.act(() => this.collection.endOthers());
    if (!done) return;
    this.takeFocus();
    this.bus.trigger(ANNOUNCEMENT, "Signed out everywhere else.");
  },

  async act(doing) {
    try {
      await doing();
      this.showProblem("");
      return true;
    } catch (problem) {
      if (problem.status === UNAUTHORIZED) this.bus.trigger(LOGIN_ENDED, {});
      this.showProblem(problem.message);
      return false;
    }
  },
});
