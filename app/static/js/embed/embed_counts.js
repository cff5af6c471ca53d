// The numbers of comments in a page of another site: `[data-parley-count="Article/1"]`.
//
// 1. GET /api/commentables/ reads them in batches. One stream follows the first batch, from that response's cursor. The
//    length of a stream's address is bounded, so the other batches are polled.
// 2. A hidden page has no stream and reads nothing. When it becomes visible, it resumes from the last event's cursor.
// 3. If a stream ends, the server's `retry:` applies. Any other failure waits with back-off and jitter.
// 4. The numbers are those that guests see. No request carries cookies, except a stream of the same origin. The server
//    ignores these cookies (`guest=1`).

import { backoff } from "../core/backoff.js";
import { addressParts } from "../stream/address_parts.js";
import { check, get, query, warn } from "./embed_check.js";

const CLOSED = 2; // EventSource.CLOSED
const MAX_NAMES = 500; // in a page
// Characters. Nginx refuses an address over 8 KB. A request or a stream may have 100 topics; here each has about 50.
const MAX_ADDRESS = 5_000;
const SILENCE_MS = 45_000; // heartbeats come every 15 seconds
const DEBOUNCE_MS = 100; // while the browser parses the page, the names appear one by one
// Numbers of failures, for the back-off.
const AFTER_RESET = 4; // 4 to 8 seconds, in case the server resets the stream again
const POLL = 6; // 15 to 30 seconds

// At least as long as a stream's address, whose cursor has a key and a seq for each topic.
const addressOf = (names) => query(names.map((name) => `${about(name)}~~~~~~~~~~~~~~~~~~~~~~~~`));

const about = (topic) => `Commentable/${topic}`;
const topicOf = ({ commentable_type: type, commentable_id: id }) => `${type}/${id}`;

/** `home`: Parley's URL, which ends with a slash. Returns a function that takes the current elements of the page. */
export function embedCounts(home) {
  const topicOfName = {}; // a name in the page may be another form of its topic
  const counts = {}; // by topics
  const refused = []; // names
  let elements = [];
  let names = [];
  let cursor = "";
  let followed = []; // topics
  /** @type {EventSource} */
  let source;
  let timer = 0;
  let failures = 0;
  let run = 0; // which call of `start` is the current one

  function update(now) {
    elements = now;
    const before = names.join("\n");
    names = [...new Set(now.map((el) => el.dataset.parleyCount))].slice(0, MAX_NAMES);
    if (names.join("\n") !== before) restart(DEBOUNCE_MS);
    show();
  }

  function show() {
    for (const el of elements) {
      const count = counts[topicOfName[el.dataset.parleyCount]];
      if (count >= 0 && el.textContent !== `${count}`) el.textContent = count;
    }
  }

  function restart(ms) {
    cursor = "";
    wait(ms);
  }

  function wait(ms) {
    run += 1;
    source?.close();
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(start, ms);
  }

  function fail() {
    failures += 1;
    wait(backoff(failures));
  }

  // A connection may be dead without an error, and a proxy may buffer a stream. Reading helps in both cases.
  function expectMore() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      cursor = "";
      fail();
    }, SILENCE_MS);
  }

  async function start() {
    const mine = run;
    try {
      const valid = names.filter((name) => !refused.includes(name));
      const [first, ...others] = addressParts(valid, addressOf, MAX_ADDRESS);
      if (!first) return;
      expectMore();
      if (!cursor) {
        const answer = await read(first);
        if (mine !== run) return;
        cursor = answer.cursor;
        followed = answer.commentables.map(topicOf);
      }
      if (followed[0]) follow();
      while (others[0]) {
        for (const batch of others) await read(batch);
        await new Promise((resolve) => setTimeout(resolve, backoff(POLL)));
        if (mine !== run) return;
      }
    } catch {
      const { listed, message } = await check(home, names[0]);
      if (mine !== run) return;
      if (listed) return fail();
      clearTimeout(timer);
      warn(names[0], message);
    }
  }

  async function read(batch) {
    const answer = await get(`${home}api/commentables/?by_name=1&${query(batch)}`);
    for (const name of Object.keys(answer.refused)) {
      refused.push(name);
      warn(name, answer.refused[name]);
    }
    Object.assign(topicOfName, answer.names);
    answer.commentables.forEach(count);
    return answer;
  }

  function count(commentable) {
    counts[topicOf(commentable)] = commentable.comments_count;
    show();
  }

  function follow() {
    const topics = query(followed.map(about));
    const stream = new EventSource(`${home}streams?${topics}&cursor=${cursor}&guest=1`);
    let isAnswered = false;
    const listen = (name, act) =>
      stream.addEventListener(name, ({ data, lastEventId }) => {
        cursor = lastEventId;
        failures = 0;
        expectMore();
        act(JSON.parse(data).payload?.model);
      });
    listen("heartbeat", () => {});
    listen("reset", () => restart(backoff(AFTER_RESET)));
    listen("global.commentable.create.success", count);
    listen("global.commentable.update.success", count);
    stream.onopen = () => {
      isAnswered = true;
    };
    stream.onerror = () => {
      const isClosed = stream.readyState === CLOSED;
      if (isClosed) cursor = ""; // the next read shows why
      if (isClosed || !isAnswered) fail();
      isAnswered = false; // (3)
    };
    source = stream;
    expectMore();
  }

  document.addEventListener("visibilitychange", () => wait(0));
  return update;
}
