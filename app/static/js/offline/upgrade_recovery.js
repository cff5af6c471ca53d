// Recovery of an open page after an upgrade: the server no longer has the files of the page's release, so the page
// cannot load a part that it has not needed before.

import { BASE, named } from "../core/base.js";

const RELOADED_AT = named("parley-reloaded-at");
const MIN_INTERVAL_MS = 60_000; // while servers of two releases run, the next page may be of the old release again

/**
 * Reload the page if the server has another release. Drafts and unsent changes are in the browser's storage, and come
 * back with the page. Resolves to whether it reloads: not twice within a minute, and not without storage.
 */
export async function reloadAfterUpgrade() {
  try {
    const last = Number(sessionStorage.getItem(RELOADED_AT));
    if (Math.abs(Date.now() - last) < MIN_INTERVAL_MS || !(await isReplaced())) return false;
    sessionStorage.setItem(RELOADED_AT, `${Date.now()}`);
  } catch {
    return false; // without a connection, or without storage
  }
  window.location.reload();
  return true;
}

// Each page names the script of its release. A request for the script itself proves nothing: a proxy may have cached
// the file.
async function isReplaced() {
  const script = document.querySelector("script[type=module]")?.getAttribute("src");
  const response = await fetch(`${BASE}/`, { cache: "no-store" });
  return response.ok && !(await response.text()).includes(`"${script}"`);
}
