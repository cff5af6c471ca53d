const PROCESSED = 229; // keyCode of a key that an input method has taken (UI Events, "keydown"); Safari's last one, too

/** Whether this key belongs to an input method. The Escape or Enter that ends a composition is no command. */
export const isComposing = ({ isComposing, keyCode }) => isComposing || keyCode === PROCESSED;

/** The command to post: Ctrl Enter, or Cmd Enter. `event` is the browser's. */
export const isPostKey = (event) =>
  event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isComposing(event);

/** Escape, unless it ends a composition. */
export const isEscape = (event) => event.key === "Escape" && !isComposing(event);
