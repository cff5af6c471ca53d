// Comments are added, removed and resized above the text that somebody reads or writes. That text must not move.

import { FlipAnimation } from "./flip_animation.js";
import { isRendered, isVisible, scrollBy } from "./viewport.js";

const MAX_CHANGES_IN_FRAME = 8; // that are handled one by one; each costs time in proportion to the list's length

let changesInFrame = 0;
let beforeBurst = /** @type {ReturnType<typeof measure> | null} */ (null);
let isChanging = false;

/**
 * Apply a change to the page without moving the scroll anchor: the focused form, or else the first visible block. The
 * page scrolls to keep the anchor in place. The other blocks move to their new places in an animation
 * (flip_animation.js).
 *
 * After a reconnect, a thousand changes may come in one frame. Then everything after the first few is handled once, at
 * the start of the next frame.
 */
export function keepScrollPosition(list, change) {
  if (beforeBurst || isChanging) return change();
  if (changesInFrame === 0) requestAnimationFrame(beginFrame);
  changesInFrame += 1;
  const before = measure(list);
  apply(change);
  if (changesInFrame > MAX_CHANGES_IN_FRAME) beforeBurst = before;
  else restore(before);
}

// A nested change is handled together with the outer one.
function apply(change) {
  isChanging = true;
  try {
    change();
  } finally {
    isChanging = false;
  }
}

function beginFrame() {
  changesInFrame = 0;
  if (beforeBurst) restore(beforeBurst);
  beforeBurst = null;
}

function measure(list) {
  const blocks = [...list.children, ...blocksBelow(list)];
  const animation = new FlipAnimation(blocks);
  const anchors = [focusedForm(), ...blocks].filter((block) => block && isVisible(block));
  return { animation, anchors, tops: anchors.map(topOf) };
}

function restore({ animation, anchors, tops }) {
  animation.finish(); // a nested change may have started animations
  const index = anchors.findIndex(isRendered);
  const moved = index >= 0 ? topOf(anchors[index]) - tops[index] : 0;
  animation.start(Math.abs(moved) >= 1 ? scrollBy(moved) : 0);
}

// The elements that move when the list grows: the later siblings of the list and of the elements that contain it.
function blocksBelow(list) {
  const found = [];
  for (let container = list; container !== document.body; container = container.parentElement) {
    for (let next = container.nextElementSibling; next; next = next.nextElementSibling) {
      found.push(next);
    }
  }
  return found;
}

// A form in a dialog is above the page and does not move with it.
function focusedForm() {
  const form = document.activeElement?.closest("form");
  return form?.closest("dialog") ? null : form;
}

const topOf = (element) => element.getBoundingClientRect().top;
