import { isolated } from "../ui/isolated.js";

const NAMES = 2; // the rest are a number

/** Who else is here, in a line under the heading, and who types, beside the composer. `el` is the thread's section. */
export const PresenceView = Backbone.View.extend({
  initialize({ account }) {
    this.listenTo(this.model, "change", this.render);
    this.listenTo(account, "change:id", this.render);
    this.render();
  },

  render() {
    this.say(".thread__presence", here(this.model.others()));
    this.say(".composer__typing", typing(this.model.othersTyping()));
  },

  // Touched only where it says something else: it comes often, and mostly with the same. And then made anew, since
  // words that only grow push what stands after them, and a browser takes that for a page that moves.
  say(selector, { who, what }) {
    const part = this.el.querySelector(selector);
    if (part.textContent === who + what) return;
    const parts = who === "" ? [] : [words("said__who", who), words("said__what", what)];
    part.replaceChildren(...parts);
  },
});

function words(className, text) {
  const span = document.createElement("span");
  span.className = className;
  span.textContent = text;
  return span;
}

function here({ people, count, guests }) {
  const names = namesOf(people.slice(0, NAMES));
  const rest = count - names.length;
  const others =
    names.length > 0 ? plural(rest, "other", "others") : plural(rest, "person", "people");
  const all = [...names, ...others, ...plural(guests, "guest", "guests")];
  return sentence(all, count + guests, "here");
}

function typing({ people, count }) {
  const names = namesOf(people);
  const isLong = count > NAMES && names.length > 0;
  return sentence(
    isLong ? [names[0], ...plural(count - 1, "other", "others")] : names,
    count,
    "typing…",
  );
}

// In two parts: where there is no room for all of it, names are cut off, and not what is said of them.
function sentence(all, count, doing) {
  if (all.length === 0) return { who: "", what: "" };
  return { who: listed(all), what: ` ${count === 1 ? "is" : "are"} ${doing}` };
}

const namesOf = (people) => people.map(({ username }) => isolated(username));
const plural = (n, one, many) => (n > 0 ? [`${n} ${n === 1 ? one : many}`] : []);
const listed = (parts) => new Intl.ListFormat("en-GB").format(parts);
