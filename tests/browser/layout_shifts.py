"""Where the parts of a page are, frame by frame: what a person reads or writes does not jump."""

from __future__ import annotations

from tests.browser.people import Person

# A part may move while it glides, which flip_animation.js does with a transform. Any other move from one frame to the
# next is a jump. The page scrolls before the watch begins, or not at all.
WATCH = """() => {
  const parts = ".article, .thread__head, .thread__list > *, .composer";
  const isGlide = (animation) => !(animation instanceof CSSAnimation || animation instanceof CSSTransition);
  const isGliding = (part, glides) => glides.some(({ effect }) => effect.target.contains(part));
  window.glides = () => document.getAnimations().filter(isGlide);
  window.jumps = [];
  let before = new Map();
  const look = () => {
    const glides = window.glides();
    const now = new Map();
    for (const part of document.querySelectorAll(parts)) {
      const { top, bottom } = part.getBoundingClientRect();
      if (bottom <= 0 || top >= innerHeight || !part.checkVisibility()) continue;
      now.set(part, { top, glides: isGliding(part, glides) });
      const was = before.get(part);
      if (was && !was.glides && Math.abs(top - was.top) > 1)
        window.jumps.push(`${part.id || part.className}: ${was.top} → ${top}`);
    }
    before = now;
    window.frame = requestAnimationFrame(look);
  };
  cancelAnimationFrame(window.frame);
  look();
}"""

# Once all glides have ended.
JUMPS = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  while (window.glides().some(({ playState }) => playState !== "finished")) await frame();
  await frame();
  return window.jumps;
}"""

# Chromium's own measure of the page's whole life: the layout shifts that no input explains.
SHIFTS = """async () => {
  const shifts = [];
  const observer = new PerformanceObserver((list) => shifts.push(...list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  const glides = document.getAnimations().filter((animation) => !(animation instanceof CSSAnimation));
  await Promise.allSettled(glides.map((glide) => glide.finished));
  for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
  await new Promise((resolve) => setTimeout(resolve));
  shifts.push(...observer.takeRecords());
  const at = ({ x, y }) => `${x} ${y}`;
  const named = ({ node, previousRect, currentRect }) =>
    `${node?.className || node?.nodeName}: ${at(previousRect)} → ${at(currentRect)}`;
  return shifts.filter((shift) => !shift.hadRecentInput).map(({ value, sources }) => [value, sources.map(named)]);
}"""


async def watch_places(person: Person) -> None:
    """Note every jump in this page from now on, instead of those so far."""
    await person.page.evaluate(WATCH)


async def is_still(person: Person) -> None:
    """No part that was in sight has jumped since `watch_places`."""
    jumps = await person.page.evaluate(JUMPS)
    assert jumps == [], jumps


async def has_shifted_nothing(person: Person) -> None:
    """By Chromium's measure, which counts what a slow machine paints late. For `make test-all`."""
    assert await person.page.evaluate(SHIFTS) == []
