/**
 * A view of one component of the page. The component's elements have the classes `{component}__{name}`. To be extended,
 * with
 *
 *   component  its name in these classes: "bell"
 */
export const ComponentView = Backbone.View.extend({
  component: "",

  /**
   * The first element with this name.
   * @param {string} name
   */
  part(name) {
    return this.el.querySelector(`.${this.component}__${name}`);
  },

  /**
   * Show this message in the component's element `problem`. If the message is "", hide that element.
   * @param {string} message
   */
  showProblem(message) {
    this.part("problem").textContent = message;
    this.part("problem").hidden = message === "";
  },

  /**
   * Call `act` (). If it fails, show the problem. Returns the problem, or null.
   * @param {() => Promise<unknown>} act
   */
  async attempt(act) {
    try {
      await act();
      this.showProblem("");
      return null;
    } catch (problem) {
      this.showProblem(problem.message);
      return problem;
    }
  },
});
