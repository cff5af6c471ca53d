import { ComponentView } from "../ui/component_view.js";

export const LoginView = ComponentView.extend({
  component: "login",

  initialize() {
    this.listenTo(this.model, "change", this.render);
    this.render();
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
});
