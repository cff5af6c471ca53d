// Comments come, go and grow above what somebody is reading or writing. The page must not jump under them.

import { FlipAnimation } from "./flip_animation.js";
import { isRendered, isVisible, scrollBy } from "./viewport.js";

const MOST_IN_A_FRAME = 8; // changes that are seen to one by one; each costs as much as the list is long

let inThisFrame = 0;
let burst = /** @type {ReturnType<typeof measure> | null} */ (null); // how it was before the first of too many
let changing = false;

/**
 * Apply a change to the page. What the person is busy with stays where it was, by scrolling; whatever
 * else has to make room, or closes a gap, glides there. When the connection is back a thousand may come in one
 * frame: then that is seen to once, at its end.
 */
export function keepScrollPosition(list, change) {
  if (burst || changing) return change();
  if (inThisFrame === 0) requestAnimationFrame(begin);
  inThisFrame += 1;
  const before = measure(list);
  applied(change);
  if (inThisFrame > MOST_IN_A_FRAME) burst = before;
  else settle(before);
}

// What is changed within a change is seen to with it.
function applied(change) {
  changing = true;
  try {
    change();
  } finally {
    changing = false;
  }
}

function begin() {
  inThisFrame = 0;
  if (burst) settle(burst);
  burst = null;
}

function measure(list) {
  const blocks = [...list.children, ...following(list)];
  const glide = new FlipAnimation(blocks);
  const held = [focusedForm(), ...blocks].filter((block) => block && isVisible(block));
  return { glide, held, tops: held.map(top) };
}

function settle({ glide, held, tops }) {
  glide.halt(); // what a change within this one set going
  const index = held.findIndex(isRendered);
  const moved = index >= 0 ? top(held[index]) - tops[index] : 0;
  glide.start(Math.abs(moved) >= 1 ? scrollBy(moved) : 0);
}

// Whatever the list pushes down when it grows: what stands below it, and below what it stands in.
function following(list) {
  const found = [];
  for (let around = list; around !== document.body; around = around.parentElement) {
    for (let next = around.nextElementSibling; next; next = next.nextElementSibling) {
      found.push(next);
    }
  }
  return found;
}

// One in a dialog lies above the page and does not move with it.
function focusedForm() {
  const form = document.activeElement?.closest("form");
  return form?.closest("dialog") ? null : form;
}

const top = (element) => element.getBoundingClientRect().top;
