// The service worker: a page that was read before opens without a connection, too. It contains its snapshot and cursors,
// so that the stream brings what is missing once the connection is back.
//
// Pages come from the network first. If the response has `Parley-Keep: <version> <viewer>` (app/pages/service_worker.py), the page is
// stored in the cache "pages <version> <viewer>"; the cookie of service_worker_client.js has to name the same viewer to show it again.
// Files have the hash of their content in their names, so they come from the cache first: "files <version>" has those of
// the pages, and the lazy parts that were loaded. A new release replaces both caches.
//
// Requests to /api and /streams do not pass through here, nor do pages about the account.
//
// To get rid of it, serve this in its place, at /worker.js, for as long as a browser with the old one may come back (a 404
// removes nothing):
//   self.addEventListener("install", () => self.skipWaiting());
//   self.addEventListener("activate", async () => {
//     for (const name of await caches.keys()) await caches.delete(name);
//     await self.registration.unregister();
//   });

const KEEP = "Parley-Keep";
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const BASE = worker.location.pathname.slice(0, -"/worker.js".length); // as in base.js; paths here are without it
const PREFIX = BASE ? `${BASE} ` : ""; // of our caches' names: other applications of this host may have caches
const VIEWER = "parley_viewer"; // as in service_worker_client.js
const PAGE = /^\/$|^\/(embed\/)?[A-Z][^/]*\/./; // the front page and threads, in iframes and out of them
const FILES_OF_PAGE = / (?:src|href)="([^"]*\/static\/[^"]*)"/g; // people's texts have no such quotation mark: it is escaped
const MAX_PAGES = 20;
const UNREACHABLE = [502, 503, 504]; // a gateway without a server, or a server without its database

// It has no state that lasts, so a new one may take over at any time.
worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== "GET" || path === null) return;
  if (request.mode === "navigate" && PAGE.test(path)) event.respondWith(page(event));
  else if (path.startsWith("/static/")) event.respondWith(file(request.url));
});

// The page was loaded before there was a worker, or as another viewer: first its address, then those of the files that it
// loaded. One message after the other, because the page's makes the cache for files.
let storing = Promise.resolve();
worker.addEventListener("message", (event) => {
  storing = storing.then(() => storeLoaded(event.data)).catch(() => {});
  event.waitUntil(storing);
});

// A query may be a secret, and makes another page: null, as for what is not ours.
function pathOf(url) {
  const { origin, pathname, search } = new URL(url);
  const isOurs = origin === worker.location.origin && pathname.startsWith(`${BASE}/`);
  return isOurs && search === "" ? pathname.slice(BASE.length) : null;
}

async function page(event) {
  const { request } = event;
  const answer = await fetch(request).catch(() => Response.error());
  const made = answer.type !== "error" && !UNREACHABLE.includes(answer.status);
  if (!made) return (await storedPage(request)) ?? answer;
  event.waitUntil(storePage(request.url, answer.clone()));
  return answer;
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

// Into the cache of the current release. Before a page is stored there is none.
async function loadFile(url) {
  const answer = await fetch(url);
  const name = (await caches.keys()).find((name) => name.startsWith(`${PREFIX}files `));
  if (answer.ok && name) await (await caches.open(name)).put(url, answer.clone());
  return answer;
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

async function storePage(url, answer) {
  const keep = answer.headers.get(KEEP);
  if (!answer.ok || !keep) return;
  const html = await answer.text();
  const [pages, files] = [`${PREFIX}pages ${keep}`, `${PREFIX}files ${keep.split(" ")[0]}`];
  await deleteAllBut([pages, files]);
  await caches.open(files);
  await storeFiles(Array.from(html.matchAll(FILES_OF_PAGE), ([, path]) => new URL(path, url).href));
  const cache = await caches.open(pages);
  await cache.delete(url); // so that the newest is the last
  const marked = html.replace("<html ", `<html data-kept="${new Date().toISOString()}" `);
  await cache.put(url, new Response(marked, answer));
  for (const oldest of (await cache.keys()).slice(0, -MAX_PAGES)) await cache.delete(oldest);
}

async function deleteAllBut(names) {
  const ours = (await caches.keys()).filter((name) =>
    /^(pages|files) /.test(name.slice(PREFIX.length)),
  );
  const others = ours.filter((name) => name.startsWith(PREFIX) && !names.includes(name));
  await Promise.all(others.map((name) => caches.delete(name)));
}
