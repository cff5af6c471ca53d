// The service worker: a page that was read before opens without a connection, too. It carries its snapshot and
// cursors, so that once the connection is back the stream brings what is missing.
//
// The network always comes first. What may be kept the server says (`Parley-Keep`, in app/web/worker.py), and where:
//   "pages <version> <viewer>"   one release's pages as one viewer saw them; the cookie of shell.js has to agree
//   "files <version>"            that release's static files, under /kept/<version>/
// A kept page names its files under /kept/, and those are never fetched. So a page from the network has the network's
// files, a kept page has those that were kept with it, and a deploy in between cannot mix them.
//
// Nothing under /api or /streams passes here, nor do pages about the account.
//
// To be rid of it, serve in its place, at /worker.js, for as long as anybody may come back (a 404 removes nothing):
//   self.addEventListener("install", () => self.skipWaiting());
//   self.addEventListener("activate", async () => {
//     for (const name of await caches.keys()) await caches.delete(name);
//     await self.registration.unregister();
//   });

const KEEP = "Parley-Keep";
const BASE = self.location.pathname.slice(0, -"/worker.js".length); // as in base.js; paths here are without it
const OURS = BASE ? `${BASE} ` : ""; // what our caches' names begin with: others of this host may have some
const VIEWER = "parley_viewer"; // as in shell.js, which a worker that is no module cannot import
const PAGE = /^\/$|^\/(embed\/)?[A-Z][^/]*\/./; // the front page and threads, in iframes and out of them
const MOST_PAGES = 20;
const NOBODY_THERE = [502, 503, 504]; // who answers so cannot make the page now, be it a gateway or we ourselves

// It holds no state, so a new one may take over at any time.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = pathOf(request.url);
  if (request.method !== "GET" || path === null) return;
  if (request.mode === "navigate") {
    if (PAGE.test(path)) event.respondWith(page(event));
  } else if (path.startsWith("/static/")) event.respondWith(file(event));
  else if (path.startsWith("/kept/")) event.respondWith(keptFile(event));
});

// What a page was loaded with before there was a worker, or as somebody else.
self.addEventListener("message", (event) => event.waitUntil(Promise.all(event.data.map(read))));

// A query may be a secret, and makes another page: null, as for what is not ours.
function pathOf(url) {
  const { origin, pathname, search } = new URL(url);
  const isOurs = origin === self.location.origin && pathname.startsWith(`${BASE}/`);
  return isOurs && search === "" ? pathname.slice(BASE.length) : null;
}

async function page(event) {
  const answer = await fetch(event.request).catch(() => Response.error());
  const made = answer.type !== "error" && !NOBODY_THERE.includes(answer.status);
  if (!made) return (await keptPage(event.request)) ?? answer;
  event.waitUntil(keepPage(event.request.url, answer.clone()));
  return answer;
}

// The request itself may carry the condition of the page's own memory, and a 304 could not be kept.
async function file(event) {
  const answer = await fetch(event.request.url, { cache: "no-cache" });
  event.waitUntil(keepFile(event.request.url, answer.clone()));
  return answer;
}

async function keptFile({ request }) {
  return (await caches.match(request, { ignoreVary: true })) ?? Response.error();
}

async function keptPage(request) {
  const viewer = (await self.cookieStore.get(VIEWER))?.value ?? "guest";
  const names = (await caches.keys()).filter((name) => isOf(viewer, name));
  const found = names.map((name) => caches.match(request, { cacheName: name, ignoreVary: true }));
  return (await Promise.all(found)).find(Boolean);
}

function isOf(viewer, name) {
  return name.startsWith(`${OURS}pages `) && name.endsWith(` ${viewer}`);
}

async function read(url) {
  const path = pathOf(url);
  const keep = path && (PAGE.test(path) ? keepPage : path.startsWith("/static/") && keepFile);
  if (keep) await keep(url, await fetch(url, { cache: "no-cache" }));
}

async function keepPage(url, answer) {
  const keep = answer.headers.get(KEEP);
  if (!answer.ok || !keep) return;
  const name = OURS + keep;
  const [, version] = keep.split(" ");
  await dropAllBut([name, `${OURS}files ${version}`]);
  const cache = await caches.open(name);
  await cache.delete(url); // the newest is the last
  await cache.put(url, new Response(marked(await answer.text(), version), answer));
  for (const oldest of (await cache.keys()).slice(0, -MOST_PAGES)) await cache.delete(oldest);
}

// In what people write there is no such quotation mark: in HTML it is escaped, in JSON too.
function marked(html, version) {
  return html
    .replace("<html ", `<html data-kept="${new Date().toISOString()}" `)
    .replaceAll(` src="${BASE}/static/`, ` src="${BASE}/kept/${version}/`)
    .replaceAll(` href="${BASE}/static/`, ` href="${BASE}/kept/${version}/`);
}

// Without the URL that it came from, which would be what a module's imports are relative to.
async function keepFile(url, answer) {
  const keep = answer.headers.get(KEEP);
  if (!answer.ok || !keep) return;
  const kept = BASE + pathOf(url).replace("/static/", `/kept/${keep.split(" ")[1]}/`);
  await (await caches.open(OURS + keep)).put(kept, new Response(answer.body, answer));
}

async function dropAllBut(names) {
  const ours = (await caches.keys()).filter((name) =>
    /^(pages|files) /.test(name.slice(OURS.length)),
  );
  const others = ours.filter((name) => name.startsWith(OURS) && !names.includes(name));
  await Promise.all(others.map((name) => caches.delete(name)));
}
