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

export const SCHEMES = ["light", "dark"];
