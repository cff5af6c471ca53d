// Recovery of an open page after an upgrade: the server no longer has the files of the release that the page is from, so
// the page cannot load a part that it has not needed before.

import { BASE, named } from "../core/base.js";

const RELOADED_AT = named("parley-reloaded-at");
const MIN_INTERVAL_MS = 60_000; // while servers of two releases run, the next page may be of the old one again

/**
 * Reload the page if the server has another release. Drafts and unsent changes are in the browser's storage, and come back
 * with the page. Resolves to whether it reloads: not twice within a minute, and not without storage.
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

// Every page names the script of its release. Its own address would not tell: a proxy may have stored the file.
async function isReplaced() {
  const script = document.querySelector("script[type=module]")?.getAttribute("src");
  const answer = await fetch(`${BASE}/`, { cache: "no-store" });
  return answer.ok && !(await answer.text()).includes(`"${script}"`);
}
