import { ComponentView } from "../ui/component_view.js";
import { isolated } from "../ui/isolated.js";

const MAX_NAMES = 2; // the rest are a number

/**
 * The other people here, in a line under the heading, and the people typing, beside the composer. `el` is the thread's
 * section.
 */
export const PresenceView = ComponentView.extend({
  initialize() {
    this.listenTo(this.model, "change", this.render);
    this.listenTo(this.account, "change:id", this.render);
    this.render();
  },

  render() {
    this.renderLine(".thread__presence", here(this.model.others()));
    this.renderLine(".composer__typing", typing(this.model.othersTyping()));
  },

  // The elements change only if the text changes, because presence events are frequent and mostly the same. They are
  // replaced, because a text that grows in place moves what is beside it, which browsers count as a layout shift.
  renderLine(selector, { names, activity }) {
    const part = this.el.querySelector(selector);
    if (part.textContent === names + activity) return;
    const parts = names === "" ? [] : [span("said__who", names), span("said__what", activity)];
    part.replaceChildren(...parts);
  },
});

function span(className, text) {
  const element = document.createElement("span");
  element.className = className;
  element.textContent = text;
  return element;
}

function here({ people, count, guests }) {
  const names = namesOf(people.slice(0, MAX_NAMES));
  const rest = count - names.length;
  const others =
    names.length > 0 ? plural(rest, "other", "others") : plural(rest, "person", "people");
  const all = [...names, ...others, ...plural(guests, "guest", "guests")];
  return sentence(all, count + guests, "here");
}

function typing({ people, count }) {
  const names = namesOf(people);
  const isLong = count > MAX_NAMES && names.length > 0;
  return sentence(
    isLong ? [names[0], ...plural(count - 1, "other", "others")] : names,
    count,
    "typing…",
  );
}

// In two parts: if there is not enough room, the names are cut off, and the activity stays.
function sentence(all, count, activity) {
  if (all.length === 0) return { names: "", activity: "" };
  return { names: listed(all), activity: ` ${count === 1 ? "is" : "are"} ${activity}` };
}

const namesOf = (people) => people.map(({ username }) => isolated(username));
const plural = (n, one, many) => (n > 0 ? [`${n} ${n === 1 ? one : many}`] : []);
const listed = (parts) => new Intl.ListFormat("en-GB").format(parts);
