// The appearance of an embedded thread. The host's page sends values by name. Each value passes the browser's own
// parser for its property, so it can only be a colour, a font or a length.

/**
 * The values that a page can set, each as `--parley-<name>`: our CSS variable (page.css, embed.css), and a property
 * that accepts the same values.
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
const GROUND = "--ground"; // the background of the thread, if it is transparent
const PREFERS_DARK = "(prefers-color-scheme: dark)";
const ALWAYS = "(min-width: 0)";

const root = document.documentElement;

/** Set the values of `theme`, {name: value}, and reset all others. `data-themed` names those that are set. */
export function applyTheme(theme) {
  const names = Object.keys(THEME).filter((name) => setVariable(THEME[name], theme[name]));
  root.dataset.themed = names.join(" ");
  setGround(theme.background);
}

/** "light" or "dark" overrides the preference of the reader's browser; any other value restores it. */
export function setScheme(scheme) {
  const isChosen = SCHEMES.includes(scheme);
  root.style.colorScheme = isChosen ? scheme : "";
  for (const { media, queries } of schemeRules())
    media.mediaText = queries[isChosen ? scheme : "either"];
}

/** @type {{ media: MediaList, queries: { [scheme: string]: string } }[] | null} */
let rules = null;

// The rules of our style sheets that depend on the preferred scheme, with their media queries for each scheme.
function schemeRules() {
  rules ??= Array.from(document.styleSheets)
    .flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule instanceof CSSMediaRule)
    .filter(({ media }) => media.mediaText.includes(PREFERS_DARK))
    .map(({ media }) => ({ media, queries: queriesFor(media.mediaText) }));
  return rules;
}

const queriesFor = (either) => ({
  either,
  dark: either.replace(PREFERS_DARK, ALWAYS),
  light: "not all",
});

function setVariable([variable, property], value) {
  const isValid = isValidFor(property, value);
  if (isValid) root.style.setProperty(variable, value);
  else root.style.removeProperty(variable);
  return isValid;
}

// A `var()` would refer to one of our variables, and the parser accepts it in any property.
function isValidFor(property, value) {
  return typeof value === "string" && CSS.supports(property, value) && !value.includes("var(");
}

// A transparent colour is the ground only. Dialogs and fields keep an opaque background.
function setGround(background) {
  root.style.removeProperty(GROUND);
  if (!isValidFor("color", background) || isOpaque(background)) return;
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
