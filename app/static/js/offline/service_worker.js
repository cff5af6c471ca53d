// The service worker: a page that was opened before opens without a connection, too. The page contains its snapshot and
// cursors, so the stream delivers the missing changes when the connection is back.
//
// Pages come from the network first. If the response has `Parley-Keep: <version> <viewer>`
// (app/pages/service_worker.py), the page is stored in the cache "pages <version> <viewer>"; it is shown again only if
// the cookie of service_worker_client.js names the same viewer. Files have the hash of their content in their names, so
// they come from the cache first: "files <version>" has those of the pages, and the lazy parts that were loaded. A new
// release replaces both caches.
//
// The worker ignores requests to /api and /streams, and pages about the account.
//
// To remove the worker, serve this code at /worker.js instead, for as long as browsers with the old one may return. (A
// 404 removes nothing.)
//   self.addEventListener("install", () => self.skipWaiting());
//   self.addEventListener("activate", async () => {
//     for (const name of await caches.keys()) await caches.delete(name);
//     await self.registration.unregister();
//   });

const KEEP = "Parley-Keep";
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const BASE = worker.location.pathname.slice(0, -"/worker.js".length); // as in base.js; paths in this file omit it
const PREFIX = BASE ? `${BASE} ` : ""; // of the caches' names, because other applications on this host may have caches
const VIEWER = "parley_viewer"; // as in service_worker_client.js
const PAGE = /^\/$|^\/(embed\/)?[A-Z][^/]*\/./; // the front page and threads, in iframes and out of them
const FILES_OF_PAGE = / (?:src|href)="([^"]*\/static\/[^"]*)"/g; // in texts of users, quotation marks are escaped
const MAX_PAGES = 20;
const UNREACHABLE = [502, 503, 504]; // a gateway without a server, or a server without its database

// The worker has no state in memory, so a new one may take over at any time.
worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== "GET" || path === null) return;
  if (request.mode === "navigate" && PAGE.test(path)) event.respondWith(page(event));
  else if (path.startsWith("/static/")) event.respondWith(file(request.url));
});

// A page that was loaded before the worker, or for another viewer, sends its address, and then the addresses of its
// files. The messages are handled in order, because storing the page creates the cache for files.
let storing = Promise.resolve();
worker.addEventListener("message", (event) => {
  storing = storing.then(() => storeLoaded(event.data)).catch(() => {});
  event.waitUntil(storing);
});

// Null for an address outside of Parley, and for one with a query: a query may contain a secret, and names another
// page.
function pathOf(url) {
  const { origin, pathname, search } = new URL(url);
  const isOurs = origin === worker.location.origin && pathname.startsWith(`${BASE}/`);
  return isOurs && search === "" ? pathname.slice(BASE.length) : null;
}

async function page(event) {
  const { request } = event;
  const response = await fetch(request).catch(() => Response.error());
  const isReachable = response.type !== "error" && !UNREACHABLE.includes(response.status);
  if (!isReachable) return (await storedPage(request)) ?? response;
  event.waitUntil(storePage(request.url, response.clone()));
  return response;
}

async function storedPage(request) {
  const viewer = (await worker.cookieStore.get(VIEWER))?.value ?? "guest";
  const names = (await caches.keys()).filter((name) => isOf(viewer, name));
  const found = names.map((name) => caches.match(request, { cacheName: name, ignoreVary: true }));
  return (await Promise.all(found)).find(Boolean);
}

function isOf(viewer, name) {
  return name.startsWith(`${PREFIX}pages `) && name.endsWith(` ${viewer}`);
}

async function file(url) {
  return (await caches.match(url, { ignoreVary: true })) ?? loadFile(url);
}

// Load a file, and store it in the cache of the current release. Before a page is stored, there is no cache.
async function loadFile(url) {
  const response = await fetch(url);
  const name = (await caches.keys()).find((name) => name.startsWith(`${PREFIX}files `));
  if (response.ok && name) await (await caches.open(name)).put(url, response.clone());
  return response;
}

async function storeLoaded(urls) {
  for (const url of urls.filter((url) => PAGE.test(pathOf(url) ?? ""))) {
    await storePage(url, await fetch(url, { cache: "no-cache" }));
  }
  await storeFiles(urls);
}

async function storeFiles(urls) {
  await Promise.all(urls.filter((url) => pathOf(url)?.startsWith("/static/")).map(file));
}

async function storePage(url, response) {
  const keep = response.headers.get(KEEP);
  if (!response.ok || !keep) return;
  const html = await response.text();
  const [pages, files] = [`${PREFIX}pages ${keep}`, `${PREFIX}files ${keep.split(" ")[0]}`];
  await deleteAllBut([pages, files]);
  await caches.open(files);
  await storeFiles(Array.from(html.matchAll(FILES_OF_PAGE), ([, path]) => new URL(path, url).href));
  const cache = await caches.open(pages);
  await cache.delete(url); // so that the newest page is the last key
  const marked = html.replace("<html ", `<html data-kept="${new Date().toISOString()}" `);
  await cache.put(url, new Response(marked, response));
  for (const oldest of (await cache.keys()).slice(0, -MAX_PAGES)) await cache.delete(oldest);
}

async function deleteAllBut(names) {
  const ours = (await caches.keys()).filter((name) =>
    /^(pages|files) /.test(name.slice(PREFIX.length)),
  );
  const others = ours.filter((name) => name.startsWith(PREFIX) && !names.includes(name));
  await Promise.all(others.map((name) => caches.delete(name)));
}
