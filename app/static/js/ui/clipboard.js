import { ANNOUNCEMENT } from "../core/events.js";

/**
 * Put this text on the clipboard. Call it in the handler of a click. Returns whether it worked: an iframe may lack the
 * permission "clipboard-write", and a page over plain HTTP has no clipboard API.
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

/**
 * Copy this text, and show the result on the button that was clicked. Screen readers announce it.
 * @type {(text: string, button: HTMLElement, bus: Backbone.Events) => Promise<void>}
 */
export async function copyByButton(text, button, bus) {
  const isCopied = await copyText(text);
  button.textContent = isCopied ? "Copied" : "Copy text";
  bus.trigger(ANNOUNCEMENT, isCopied ? "Text copied." : "Couldn't copy the text.");
}

// The older command needs no permission. It copies the selection, so this function selects the text of an invisible
// field.
function copySelection(text) {
  const activeElement = /** @type {HTMLElement | null} */ (document.activeElement);
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "hush";
  // A dialog or menu closes when the focus leaves it, so the field is put into it.
  const container = activeElement?.closest("dialog, [role=menu]") ?? document.body;
  container.append(field);
  field.select();
  const isCopied = copyWithCommand();
  field.remove();
  activeElement?.focus({ preventScroll: true });
  return isCopied;
}

function copyWithCommand() {
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}
