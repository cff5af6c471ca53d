/**
 * Put this text on the clipboard, as the answer to somebody's press. Answers whether that was possible: an iframe may
 * lack the permission "clipboard-write", and plain http has no clipboard API.
 */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelection(text);
  }
}

// The older way needs no permission. It copies what is selected, so it selects a field that nobody sees.
function copySelection(text) {
  const { activeElement } = document;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "hush";
  const around = activeElement?.closest("dialog, [role=menu]") ?? document.body; // what closes when the focus leaves it
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
