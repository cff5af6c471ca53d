// Comments come and go above what somebody is reading or writing. The page must not move under them.

/** Apply a change to the page, and scroll so that what the person is busy with stays where it was. */
export function steadily(list, change) {
  const anchor = focusedForm() ?? firstVisible(list);
  const before = anchor?.getBoundingClientRect().top;
  change();
  if (!anchor?.isConnected) return;
  const moved = anchor.getBoundingClientRect().top - before;
  if (Math.abs(moved) >= 1) window.scrollBy({ top: moved, behavior: "instant" });
}

function focusedForm() {
  const form = document.activeElement?.closest("form");
  return form && isVisible(form) ? form : null;
}

function firstVisible(list) {
  return Array.from(list.children).find(isVisible);
}

function isVisible(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < window.innerHeight;
}
