import { isRendered, sight, wantsCalm } from "./viewport.js";

// Short: where a second change moves what still glides, nothing is seen to jump, but Chromium counts a shift.
const GLIDE_MS = 180;
const FADE_MS = 200;
const AROUND = 1; // viewports above and below: what comes into sight by the change glides, too

const FRAME_MS = 34; // a frame that comes late is not made up for by a leap

// Each is paused, and led on frame by frame. One that runs by itself is elsewhere than where it was last painted,
// so a change in its midst could not undo its own move exactly.
const underWay = new Map();
const fresh = new Set(); // not painted yet; in their first frame they stand where the blocks stood
let then = 0;

/**
 * Blocks that a change moves go to their new place by a transform that first undoes the move, so that
 * in no frame they have jumped. Made before the change, started after it.
 */
export class FlipAnimation {
  #tops = new Map();

  /** `blocks`: elements below each other. What is in them is looked after, too, for they grow and shrink. */
  constructor(blocks) {
    const near = blocks.filter(isNear);
    const parts = near.flatMap((block) => Array.from(block.children));
    const all = [...near, ...parts.filter(isRendered)]; // what comes into being was nowhere before
    for (const element of all) this.#tops.set(element, place(element, near));
    this.halt();
  }

  /** Nothing of it glides: places are measured as they are going to be. */
  halt() {
    for (const element of this.#tops.keys()) stop(element);
  }

  /** `scrolled`: by how much the blocks will have been moved back, which cannot be measured here (viewport.js). */
  start(scrolled = 0) {
    const elements = [...this.#tops.keys()].filter(isRendered);
    const moves = elements.map((element) => [element, this.#moved(element, scrolled)]);
    for (const [element, moved] of moves) {
      if (Math.abs(moved) >= 1) move(element, moved);
    }
  }

  #moved(element, scrolled) {
    const { top, inside } = this.#tops.get(element);
    return top - offset(element, inside) + (inside ? 0 : scrolled);
  }
}

function isNear(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const seen = sight();
  const room = AROUND * (seen.bottom - seen.top);
  return bottom > seen.top - room && top < seen.bottom + room && isRendered(element);
}

// A part's place is that in its block, with which it moves anyway.
function place(element, blocks) {
  const inside = blocks.includes(element) ? null : element.parentElement;
  return { top: offset(element, inside), inside };
}

function offset(element, inside) {
  const { top } = element.getBoundingClientRect();
  return inside ? top - inside.getBoundingClientRect().top : top;
}

function move(element, from) {
  const away = `translateY(${from}px)`;
  const [frames, duration] = wantsCalm() ? [fade(away), FADE_MS] : [slide(away), GLIDE_MS];
  const animation = element.animate(frames, { duration, easing: "ease-out" });
  animation.pause();
  if (underWay.size === 0) requestAnimationFrame(lead);
  underWay.set(element, animation);
  fresh.add(element);
}

function lead(now) {
  const passed = Math.min(now - then, FRAME_MS);
  then = now;
  for (const [element, animation] of underWay) {
    if (!fresh.delete(element)) animation.currentTime += passed;
    const isOver = animation.currentTime >= animation.effect.getTiming().duration;
    if (isOver || !element.isConnected) stop(element);
  }
  if (underWay.size > 0) requestAnimationFrame(lead);
}

function stop(element) {
  underWay.get(element)?.finish();
  underWay.delete(element);
  fresh.delete(element);
}

const slide = (away) => [{ transform: away }, { transform: "none" }];

// Out at the old place, in at the new: nothing moves before those whom that makes ill.
const fade = (away) => [
  { transform: away, opacity: 1 },
  { transform: away, opacity: 0, offset: 0.5 },
  { transform: "none", opacity: 0, offset: 0.5 },
  { transform: "none", opacity: 1 },
];
