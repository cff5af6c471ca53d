// The keyCode of a key that an input method handles (UI Events, "keydown"). Safari also sets it for the key that ends a
// composition.
const PROCESSED = 229;

/** Whether this key belongs to an input method. The Escape or Enter that ends a composition is not a command. */
export const isComposing = ({ isComposing, keyCode }) => isComposing || keyCode === PROCESSED;

/** Ctrl+Enter or Cmd+Enter, which post a text. */
export const isPostKey = (event) =>
  event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isComposing(event);

/** Escape, unless it ends a composition. */
export const isEscape = (event) => event.key === "Escape" && !isComposing(event);
