/**
 * Put this text on the clipboard, while a click is handled. Returns whether that was possible: an iframe may lack the
 * permission "clipboard-write", and plain http has no clipboard API.
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

// The older way needs no permission. It copies the selection, so this selects an invisible field.
function copySelection(text) {
  const activeElement = /** @type {HTMLElement | null} */ (document.activeElement);
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "hush";
  const around = activeElement?.closest("dialog, [role=menu]") ?? document.body; // these close when the focus leaves them
  around.append(field);
  field.select();
  const isCopied = attempt();
  field.remove();
  activeElement?.focus({ preventScroll: true });
  return isCopied;
}

function attempt() {
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  }
}
