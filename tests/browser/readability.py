"""Checks that a page fits on a small phone, and that its texts have enough contrast."""

from __future__ import annotations

from tests.browser.people import Person

PHONE = {"width": 320, "height": 640}
MIN_CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3

TOO_WIDE = """() => Array.from(document.querySelectorAll("body *"))
  .filter((el) => el.checkVisibility() && !el.closest(".announcer, .skip, svg"))
  .filter((el) => el.getBoundingClientRect().right > innerWidth + 0.5)
  .map((el) => el.outerHTML.slice(0, 100))"""

# The contrast of each text with the first opaque background behind it, from the computed colours.
CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    return Array.from(paint.getImageData(0, 0, 1, 1).data);
  };
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (el) => {
    for (; el; el = el.parentElement) {
      const colour = rgba(getComputedStyle(el).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgba("Canvas");
  };
  const texts = Array.from(document.querySelectorAll("body *")).filter((el) =>
    el.checkVisibility() && !el.closest(".announcer, .skip, :disabled") &&
    Array.from(el.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim()));
  return texts.map((el) => {
    const [one, other] = [rgba(getComputedStyle(el).color), behind(el)].map(luminance);
    return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05), el.outerHTML.slice(0, 100)];
  });
}"""


async def assert_fits_phone(person: Person) -> None:
    assert await person.page.evaluate(TOO_WIDE) == []
    assert await person.page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"]


async def assert_readable(person: Person) -> None:
    contrasts = await person.page.evaluate(CONTRASTS)
    assert contrasts
    assert not [(round(ratio, 2), element) for ratio, element in contrasts if ratio < MIN_CONTRAST]
