import { isRendered, prefersReducedMotion, viewport } from "./viewport.js";

// Short: if a second change moves a block that is still in motion, people see no jump, but Chromium counts a layout
// shift.
const MOVE_MS = 180;
const FADE_MS = 200;
// Blocks this far outside the viewport are animated, too, because the change may bring them into view.
const MARGIN_VIEWPORTS = 1;
const MAX_STEP_MS = 34; // after a late frame, animations go on with a step of this length and do not leap

// All animations are paused, and `advance` sets their time in each frame. If they ran by themselves, an element would
// no longer be where it was last painted, and a second change could not undo its own move exactly.
const running = new Map(); // element → its animation
const unpainted = new Set(); // elements whose animation has not been painted; their first frame shows the old place
let lastFrameAt = 0;

/**
 * Moves blocks to their new places without a jump (FLIP: https://aerotwist.com/blog/flip-your-animations/): a transform
 * first puts a block back to its old place, and then goes to zero. Create it before the change, and start it after it.
 */
export class FlipAnimation {
  #positions = new Map();

  /** `blocks`: elements below each other. Their children are animated too, because they grow and shrink. */
  constructor(blocks) {
    const near = blocks.filter(isNear);
    const children = near.flatMap((block) => Array.from(block.children));
    const all = [...near, ...children.filter(isRendered)]; // an element that is not rendered has no old place
    for (const element of all) this.#positions.set(element, positionOf(element, near));
    this.finish();
  }

  /** End the running animations of these elements, so that their final places can be measured. */
  finish() {
    for (const element of this.#positions.keys()) finish(element);
  }

  /** `scrolled`: how far the host will scroll the page. It cannot be measured in the iframe (viewport.js). */
  start(scrolled = 0) {
    const elements = [...this.#positions.keys()].filter(isRendered);
    const moves = elements.map((element) => [element, this.#distance(element, scrolled)]);
    for (const [element, distance] of moves) {
      if (Math.abs(distance) >= 1) animate(element, distance);
    }
  }

  #distance(element, scrolled) {
    const { top, container } = this.#positions.get(element);
    return top - topIn(element, container) + (container ? 0 : scrolled);
  }
}

function isNear(element) {
  const { top, bottom } = element.getBoundingClientRect();
  const visible = viewport();
  const margin = MARGIN_VIEWPORTS * (visible.bottom - visible.top);
  return bottom > visible.top - margin && top < visible.bottom + margin && isRendered(element);
}

// The position of a child is relative to its block, because it moves with the block.
function positionOf(element, blocks) {
  const container = blocks.includes(element) ? null : element.parentElement;
  return { top: topIn(element, container), container };
}

function topIn(element, container) {
  const { top } = element.getBoundingClientRect();
  return container ? top - container.getBoundingClientRect().top : top;
}

function animate(element, distance) {
  const start = `translateY(${distance}px)`;
  const [frames, duration] = prefersReducedMotion()
    ? [fade(start), FADE_MS]
    : [slide(start), MOVE_MS];
  const animation = element.animate(frames, { duration, easing: "ease-out" });
  animation.pause();
  if (running.size === 0) requestAnimationFrame(advance);
  running.set(element, animation);
  unpainted.add(element);
}

function advance(now) {
  const elapsed = Math.min(now - lastFrameAt, MAX_STEP_MS);
  lastFrameAt = now;
  for (const [element, animation] of running) {
    if (!unpainted.delete(element)) animation.currentTime += elapsed;
    const isOver = animation.currentTime >= animation.effect.getTiming().duration;
    if (isOver || !element.isConnected) finish(element);
  }
  if (running.size > 0) requestAnimationFrame(advance);
}

function finish(element) {
  running.get(element)?.finish();
  running.delete(element);
  unpainted.delete(element);
}

const slide = (start) => [{ transform: start }, { transform: "none" }];

// For people who prefer reduced motion: the element disappears at the old place and appears at the new one.
const fade = (start) => [
  { transform: start, opacity: 1 },
  { transform: start, opacity: 0, offset: 0.5 },
  { transform: "none", opacity: 0, offset: 0.5 },
  { transform: "none", opacity: 1 },
];
