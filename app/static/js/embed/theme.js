// How a thread in somebody's page looks: as that page says, as far as it makes sense. What it says is set by name and through
// the browser's own parser of that property, so it can be nothing but a colour, a font or a length.

/**
 * What a page may say of how a thread in it looks, each as `--parley-<name>`: the variable of ours that it sets (page.css,
 * embed.css), and the property that knows what a value of it looks like.
 */
export const THEME = /** @type {{ [name: string]: [string, string] }} */ ({
  accent: ["--accent", "color"],
  background: ["--paper", "color"],
  surface: ["--surface", "color"],
  text: ["--ink", "color"],
  muted: ["--muted", "color"],
  line: ["--line", "color"],
  font: ["--sans", "font-family"],
  "heading-font": ["--serif", "font-family"],
  "font-size": ["--size", "font-size"],
  radius: ["--radius", "border-radius"],
});

const SCHEMES = ["light", "dark"];
const GROUND = "--ground"; // what is behind a thread whose background lets through what is behind the iframe
const BY_SCHEME = "(prefers-color-scheme: dark)";
const ALWAYS = "(min-width: 0)";

const root = document.documentElement;

/** `theme`: {name: value}. What is not in it is ours again. `data-themed` names what is set: more follows from that. */
export function wear(theme) {
  const worn = Object.entries(THEME).filter(([name, kind]) => put(kind, theme[name]));
  root.dataset.themed = worn.map(([name]) => name).join(" ");
  seeThrough(theme.background);
}

/** "light" or "dark", whatever this reader's browser prefers; anything else leaves it to that. */
export function darken(scheme) {
  const chosen = SCHEMES.includes(scheme);
  root.style.colorScheme = chosen ? scheme : "";
  for (const { media, when } of schemeRules()) media.mediaText = when[chosen ? scheme : "either"];
}

/** @type {{ media: MediaList, when: { [scheme: string]: string } }[] | null} */
let known = null;

// Those of our style sheets' rules that ask for what the reader's browser prefers, and what they ask instead.
function schemeRules() {
  known ??= Array.from(document.styleSheets)
    .flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule instanceof CSSMediaRule)
    .filter(({ media }) => media.mediaText.includes(BY_SCHEME))
    .map(({ media }) => ({ media, when: whenIn(media.mediaText) }));
  return known;
}

const whenIn = (either) => ({
  either,
  dark: either.replace(BY_SCHEME, ALWAYS),
  light: "not all",
});

function put([variable, property], value) {
  const fits = isOf(property, value);
  if (fits) root.style.setProperty(variable, value);
  else root.style.removeProperty(variable);
  return fits;
}

// A reference would be to a variable of ours, and fits whatever it is.
function isOf(property, value) {
  return typeof value === "string" && CSS.supports(property, value) && !value.includes("var(");
}

// Dialogs and fields stand on paper that one does not see through.
function seeThrough(background) {
  root.style.removeProperty(GROUND);
  if (!isOf("color", background) || isOpaque(background)) return;
  root.style.setProperty(GROUND, background);
  root.style.removeProperty("--paper");
  root.dataset.themed = root.dataset.themed?.replace("background", "ground");
}

function isOpaque(colour) {
  const probe = document.createElement("i");
  probe.style.color = colour;
  document.body.append(probe);
  const computed = getComputedStyle(probe).color;
  probe.remove();
  return !computed.startsWith("rgba(") && !computed.includes("/");
}
