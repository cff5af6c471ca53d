// The address and the title that a page of another site gives to the threads in it. Parley stores both with the first comment
// from there, so that notifications lead to the page.

const MAX_URL = 2_000; // characters, as app/models/commentable.py has it
const MAX_TITLE = 200;
const TRACKING = /^(utm_.*|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid)$/; // where a reader came from

/**
 * {url, title}, or null if the page has no usable address. `el`: the thread's element. `data-parley-url` and
 * `data-parley-title` on it take precedence, because one page may show the threads of several pages.
 */
export function pageToTell(el) {
  const url = urlFrom(el.dataset.parleyUrl) ?? canonicalUrl() ?? ownUrl();
  const title = el.dataset.parleyTitle ?? document.title;
  if (!/^https?:/.test(url) || url.length > MAX_URL) return null;
  return { url, title: Array.from(title.trim()).slice(0, MAX_TITLE).join("") };
}

// A canonical link to another origin is about a copy on another site, but the readers are here.
const canonicalUrl = () => urlFrom(document.querySelector('link[rel="canonical"]')?.href);

function ownUrl() {
  const url = new URL(window.location.href);
  const tracking = [...url.searchParams.keys()].filter((name) => TRACKING.test(name));
  for (const name of tracking) url.searchParams.delete(name); // the other parameters stay unchanged
  return withoutHash(url);
}

function urlFrom(address) {
  if (!address) return null;
  try {
    const url = new URL(address, document.baseURI);
    return url.origin === window.location.origin ? withoutHash(url) : null;
  } catch {
    return null;
  }
}

function withoutHash(url) {
  url.hash = "";
  return url.href;
}
