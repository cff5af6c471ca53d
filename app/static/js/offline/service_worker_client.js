// The page's client of the service worker (service_worker.js): it registers the worker, and sets the viewer whose
// stored pages the worker may show.
//
// The viewer is in a cookie, because a stored page is shown when no server can tell who is signed in. It is a session
// cookie, like that of a login that is not remembered. A person who clears the cookies removes it together with the
// login's, which is HttpOnly. The browser then deletes the stored pages as well, but the worker would not show them
// anyway.

import { BASE } from "../core/base.js";

const PAGES = `${BASE ? `${BASE} ` : ""}pages `; // the prefix of the names of the worker's caches of pages
const VIEWER = "parley_viewer"; // a user's id; a guest has none

/** Store the pages of this account for use without a connection. Outside of secure contexts this does nothing. */
export async function storePages(account) {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !window.cookieStore) return;
  account.on("change:id", () => changeViewer(account).catch(ignore));
  const isUncontrolled = serviceWorker.controller === null;
  try {
    await setViewer(account);
    await serviceWorker.register(`${BASE}/worker.js`);
    if (isUncontrolled) {
      await storeThisPage();
      await storeLoadedFiles();
    }
  } catch {
    // The browser may forbid storage or have no room. The page then works without stored pages.
  }
}

async function changeViewer(account) {
  await setViewer(account);
  for (const name of await caches.keys()) {
    if (name.startsWith(PAGES)) await caches.delete(name);
  }
  await storeThisPage();
}

function setViewer(account) {
  if (!account.isSignedIn()) return cookieStore.delete({ name: VIEWER, path: `${BASE}/` });
  return cookieStore.set({ name: VIEWER, value: account.id, path: `${BASE}/`, sameSite: "strict" });
}

// The worker has not stored this page, or has stored it for another viewer. The fragment of an address may contain a
// secret.
async function storeThisPage() {
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage([window.location.href.split("#")[0]]);
}

// Until the worker controls this page, it does not get the requests for the page's files. The observer also reports the
// files that were loaded before.
async function storeLoadedFiles() {
  const { active } = await navigator.serviceWorker.ready;
  const observer = new PerformanceObserver((list) => {
    const files = list.getEntries().map((entry) => entry.name);
    const ours = files.filter((url) => url.includes("/static/"));
    if (ours.length > 0) active?.postMessage(ours);
  });
  observer.observe({ type: "resource", buffered: true });
}

const ignore = () => {};
