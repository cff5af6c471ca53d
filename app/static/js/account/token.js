/**
 * Take the token of a mailed link out of the page's address; "" without one. The token follows the `#`, so that
 * browsers send it to no server, not even as a Referer. After this call, it is neither in the address bar nor in the
 * history.
 */
export function takeToken() {
  const token = location.hash.slice(1);
  if (token === "" || document.getElementById(token)) return ""; // an ordinary link into this page
  history.replaceState(history.state, "", location.pathname + location.search);
  return token;
}
