// The address and the title of the host's page. Parley stores both with the first comment from there, so that
// notifications lead to the page.

const MAX_URL = 2_000; // characters, as app/commentables/commentables.py has it
const MAX_TITLE = 200;
const TRACKING = /^(utm_.*|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid)$/; // parameters for analytics

/**
 * {url, title}, or null if the page has no usable address. `url`: the address in the reader's browser. `base`,
 * `canonical` and `title`: the page's. `own`: the element's `data-parley-url`, which may be relative to `base`. It
 * takes precedence, because one page may show the threads of several pages.
 */
export function hostPage(url, { base, own, canonical, title }) {
  const { origin } = new URL(url);
  const address =
    urlFrom(own, base, origin) ?? urlFrom(canonical, base, origin) ?? withoutTracking(url);
  if (!/^https?:/.test(address) || address.length > MAX_URL) return null;
  return { url: address, title: Array.from(`${title}`.trim()).slice(0, MAX_TITLE).join("") };
}

// A canonical link to another origin names a copy on another site. The notifications must lead to this one.
function urlFrom(address, base, origin) {
  if (!address || !URL.canParse(address, base)) return null;
  const url = new URL(address, base);
  return url.origin === origin ? withoutHash(url) : null;
}

function withoutTracking(address) {
  const url = new URL(address);
  const tracking = [...url.searchParams.keys()].filter((name) => TRACKING.test(name));
  for (const name of tracking) url.searchParams.delete(name); // the other parameters stay unchanged
  return withoutHash(url);
}

function withoutHash(url) {
  url.hash = "";
  return url.href;
}
