"""The positions of a page's parts in every frame: text that a person reads or writes does not jump."""

from __future__ import annotations

from tests.browser.people import Person

# A part may move while flip_animation.js animates it with a transform. Any other move from one frame to the next is a
# jump. So a test scrolls the page before it calls `watch_layout`, or not at all.
WATCH = """() => {
  const parts = ".article, .thread__head, .thread__list > *, .composer";
  const isFlip = (animation) => !(animation instanceof CSSAnimation || animation instanceof CSSTransition);
  const isAnimated = (part, flips) => flips.some(({ effect }) => effect.target.contains(part));
  window.flips = () => document.getAnimations().filter(isFlip);
  window.jumps = [];
  let before = new Map();
  const recordFrame = () => {
    const flips = window.flips();
    const now = new Map();
    for (const part of document.querySelectorAll(parts)) {
      const { top, bottom } = part.getBoundingClientRect();
      if (bottom <= 0 || top >= innerHeight || !part.checkVisibility()) continue;
      now.set(part, { top, flips: isAnimated(part, flips) });
      const was = before.get(part);
      if (was && !was.flips && Math.abs(top - was.top) > 1)
        window.jumps.push(`${part.id || part.className}: ${was.top} → ${top}`);
    }
    before = now;
    window.frame = requestAnimationFrame(recordFrame);
  };
  cancelAnimationFrame(window.frame);
  recordFrame();
}"""

# After all animations have ended.
JUMPS = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  while (window.flips().some(({ playState }) => playState !== "finished")) await frame();
  await frame();
  return window.jumps;
}"""

# Chromium's own measure: the layout shifts since the page loaded that did not follow an input.
SHIFTS = """async () => {
  const shifts = [];
  const observer = new PerformanceObserver((list) => shifts.push(...list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  const flips = document.getAnimations().filter((animation) => !(animation instanceof CSSAnimation));
  await Promise.allSettled(flips.map((flip) => flip.finished));
  for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
  await new Promise((resolve) => setTimeout(resolve));
  shifts.push(...observer.takeRecords());
  const at = ({ x, y }) => `${x} ${y}`;
  const named = ({ node, previousRect, currentRect }) =>
    `${node?.className || node?.nodeName}: ${at(previousRect)} → ${at(currentRect)}`;
  return shifts.filter((shift) => !shift.hadRecentInput).map(({ value, sources }) => [value, sources.map(named)]);
}"""


async def watch_layout(person: Person) -> None:
    """Record every jump in this page from now on, and forget earlier ones."""
    await person.page.evaluate(WATCH)


async def assert_no_jumps(person: Person) -> None:
    """No visible part has jumped since `watch_layout`."""
    jumps = await person.page.evaluate(JUMPS)
    assert jumps == [], jumps


async def assert_no_layout_shifts(person: Person) -> None:
    """By Chromium's measure, which also counts the late paints of a slow machine. For `make test-all`."""
    assert await person.page.evaluate(SHIFTS) == []
