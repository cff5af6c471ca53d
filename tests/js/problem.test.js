// The reason why the server refused a request, in words for a person.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem } from "../../app/static/js/core/problem.js";

const problemOf = (document, status = 422, headers = {}) =>
  new Problem({
    status,
    responseJSON: document,
    getResponseHeader: (name) => headers[name] ?? null,
  });

test("a server that does not answer cannot be reached", () => {
  for (const problem of [new Problem(), new Problem({ status: 0 })]) {
    assert.equal(problem.status, 0);
    assert.equal(problem.message, "Can't reach the server. Please try again.");
  }
});

test("the message lists the errors of the fields, else the detail, else the title", () => {
  const errors = [{ detail: "Too long." }, { detail: "Too short." }];
  assert.equal(problemOf({ title: "T", detail: "D", errors }).message, "Too long. Too short.");
  assert.equal(problemOf({ title: "T", detail: "D" }).message, "D");
  assert.equal(problemOf({ title: "T" }).message, "T");
});

test("a response that is no problem document has a message, too", () => {
  for (const document of [undefined, {}, { errors: "none" }])
    assert.equal(problemOf(document, 502).message, "Something went wrong. Please try again.");
});

test("a conflict carries the comment as it is now", () => {
  const comment = { id: "1", seq: 9 };
  assert.deepEqual(problemOf({ comment }, 412).comment, comment);
});

test("a document cannot replace the message or the status", () => {
  const problem = problemOf({ title: "T", message: "theirs", toJSON: "theirs", status: 200 });
  assert.equal(problem.message, "T");
  assert.equal(problem.status, 422);
});

test("Retry-After is in seconds, and 0 without it", () => {
  assert.equal(problemOf({}, 429, { "Retry-After": "7" }).retryAfter, 7);
  assert.equal(problemOf({}, 429).retryAfter, 0);
});

test("a stored problem keeps its message", () => {
  const stored = JSON.parse(JSON.stringify(problemOf({ detail: "D", field: "body" })));
  assert.deepEqual(stored, {
    detail: "D",
    field: "body",
    status: 422,
    title: "",
    errors: [],
    retryAfter: 0,
    message: "D",
  });
});
