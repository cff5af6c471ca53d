/**
 * The token of a mailed link, "" without one. It stands behind the `#`, which no server and no Referer is ever
 * sent; taken, it is out of the address bar and of the history, too, and only the caller has it.
 */
export function takeToken() {
  const token = location.hash.slice(1);
  if (token === "" || document.getElementById(token)) return ""; // a place in the page
  history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
