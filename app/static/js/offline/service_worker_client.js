// The page's side of the service worker (service_worker.js): registers it, and says which viewer's pages may be shown here.
//
// The viewer is in a cookie, because a stored page is shown when nobody can be asked who is signed in. Like a login that
// is not remembered, the cookie ends with the browser. It also goes when a person clears the cookies, together with the
// login's own, which no script can see. Stored pages are deleted then as well, but the worker would not show them anyway.

import { BASE } from "../core/base.js";

const PAGES = `${BASE ? `${BASE} ` : ""}pages `; // what the worker's caches of pages are called
const VIEWER = "parley_viewer"; // a user's id; a guest has none

/** Keep the pages of this account for times without a connection. Nothing happens outside of secure contexts. */
export async function keepPages(account) {
  const { serviceWorker } = navigator;
  if (!serviceWorker || !window.cookieStore) return;
  account.on("change:id", () => changeViewer(account).catch(nothingIsKept));
  const loadedWithout = serviceWorker.controller === null;
  try {
    await tellViewer(account);
    await serviceWorker.register(`${BASE}/worker.js`);
    if (loadedWithout) {
      await keepThisPage();
      await keepLoadedFiles();
    }
  } catch {
    nothingIsKept();
  }
}

async function changeViewer(account) {
  await tellViewer(account);
  for (const name of await caches.keys()) {
    if (name.startsWith(PAGES)) await caches.delete(name);
  }
  await keepThisPage();
}

function tellViewer(account) {
  if (!account.isSignedIn()) return cookieStore.delete({ name: VIEWER, path: `${BASE}/` });
  return cookieStore.set({ name: VIEWER, value: account.id, path: `${BASE}/`, sameSite: "strict" });
}

// The worker has not seen it pass, or as somebody else's. An address's fragment may be a secret.
async function keepThisPage() {
  const { active } = await navigator.serviceWorker.ready;
  active?.postMessage([window.location.href.split("#")[0]]);
}

// Until the worker controls this page, its files do not pass through there. The observer gets the files that were loaded
// before it, too.
async function keepLoadedFiles() {
  const { active } = await navigator.serviceWorker.ready;
  const observer = new PerformanceObserver((list) => {
    const files = list.getEntries().map((entry) => entry.name);
    const ours = files.filter((url) => url.includes("/static/"));
    if (ours.length > 0) active?.postMessage(ours);
  });
  observer.observe({ type: "resource", buffered: true });
}

// A browser may forbid it, or have no room: then it is as it would be without.
function nothingIsKept() {}
