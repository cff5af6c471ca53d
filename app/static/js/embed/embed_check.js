/**
 * Ask the server why there is no response for `name`, the text in the page. A browser hides from a page the status of
 * an iframe, and of a response without CORS headers. Returns {topic, listed, message}: the error of the name, or null;
 * whether the page's origin is listed; and a text for the page's author.
 */
export const check = (home, name) =>
  get(`${home}embed/check?${query([name])}`).catch(() => ({
    listed: true,
    message: `${home} does not answer.`,
  }));

/** Fetch the JSON at this address. */
export const get = async (url) => (await fetch(url, { credentials: "omit" })).json();

/** These topics as a query. */
export const query = (topics) =>
  topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");

/** Write to the console, for the page's author. */
export const warn = (name, message) =>
  // biome-ignore lint/suspicious/noConsole: this is a message to the page's author
  console.warn(`Parley: "${name}": ${message}`);
