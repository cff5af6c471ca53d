import { LOGIN_END_WANTED } from "../core/events.js";
import { fromTemplate } from "../core/template.js";

/** One line of where one is signed in. Triggers "end" (the login). */
export const LoginView = Backbone.View.extend({
  events: { "click .login__end": "end" },

  initialize() {
    this.setElement(fromTemplate("login"));
    this.listenTo(this.model, "change", this.render);
    this.render();
  },

  part(name) {
    return this.el.querySelector(`.login__${name}`);
  },

  render() {
    const { device, address, seen_at, current } = this.model.attributes;
    this.el.dataset.loginId = this.model.id;
    this.part("device").textContent = device;
    this.part("address").textContent = address;
    this.part("seen").setAttribute("datetime", seen_at);
    this.part("current").hidden = !current;
    this.part("end").hidden = current;
    this.part("end").setAttribute("aria-label", `Sign out ${device}`);
  },

  end() {
    this.trigger(LOGIN_END_WANTED, this.model);
  },
});
