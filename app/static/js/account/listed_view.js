import { ComponentView } from "../ui/component_view.js";

/** @typedef {{ verb: string }} Fields */

/** An entry of a list on the account page (listing_view.js). */
export const ListedView = /** @type {ComponentWith<Fields>} */ (ComponentView).extend({
  component: "listed",

  initialize({ verb }) {
    this.verb = verb;
    this.listenTo(this.model, "change", this.render);
    this.render();
  },

  render() {
    const { id, name, href } = this.model.attributes;
    this.el.dataset.id = id;
    this.part("name").textContent = name;
    if (href) this.part("name").href = href;
    this.part("end").textContent = this.verb;
    this.part("end").setAttribute("aria-label", `${this.verb} ${name}`);
  },
});
