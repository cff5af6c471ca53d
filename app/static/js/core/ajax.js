// Backbone.ajax over XMLHttpRequest: the part of jQuery.ajax that Backbone.sync uses.

const NO_CONTENT = 204;

/**
 * Send a request and return its XMLHttpRequest. `settings`: `type`, `url`, `headers`, `contentType`, `data` (text, or
 * an object that is encoded as a form; in a GET it becomes the query), `timeout` (milliseconds), and `beforeSend(xhr)`,
 * which may return false to send nothing. The request ends with `success(response, word, xhr)` or `error(xhr, word,
 * thrown)`, and then `complete(xhr, word)`, each with `context` as its `this`. `xhr.responseJSON` is the parsed
 * response. `word` is one of success, nocontent, error, parsererror, timeout, abort.
 */
export function ajax(settings) {
  const { type = "GET", headers = {}, context = settings, timeout = 0 } = settings;
  const xhr = new XMLHttpRequest();
  let timer = 0;
  let isLate = false;
  const end = (word, thrown) => {
    clearTimeout(timer);
    const isFine = word === "success" || word === "nocontent";
    if (isFine) settings.success?.call(context, xhr.responseJSON, word, xhr);
    else settings.error?.call(context, xhr, word, thrown);
    settings.complete?.call(context, xhr, word);
  };
  xhr.open(type, addressOf(type, settings));
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  const body = type === "GET" ? null : encoded(settings.data);
  if (body && settings.contentType) xhr.setRequestHeader("Content-Type", settings.contentType);
  if (settings.beforeSend?.call(context, xhr, settings) === false) return xhr;
  xhr.addEventListener("load", () => end(...read(xhr)));
  xhr.addEventListener("error", () => end("error", ""));
  xhr.addEventListener("abort", () => end(isLate ? "timeout" : "abort", ""));
  xhr.send(body);
  // `xhr.timeout` would ignore the clock of tests, which set timers forward.
  if (timeout > 0) {
    timer = setTimeout(() => {
      isLate = true;
      xhr.abort();
    }, timeout);
  }
  return xhr;
}

function addressOf(type, { url, data }) {
  const query = type === "GET" ? encoded(data) : null;
  return query ? `${url}${url.includes("?") ? "&" : "?"}${query}` : url;
}

function encoded(data) {
  return typeof data === "object" && data !== null ? String(new URLSearchParams(data)) : data;
}

// The arguments of `end`. Problem documents are JSON, too (RFC 9457).
function read(xhr) {
  const isFine = xhr.status >= 200 && xhr.status < 300;
  if (isFine && xhr.status === NO_CONTENT) return ["nocontent"];
  try {
    xhr.responseJSON = JSON.parse(xhr.responseText);
  } catch (error) {
    if (isFine) return ["parsererror", error];
  }
  return isFine ? ["success"] : ["error", xhr.statusText];
}
