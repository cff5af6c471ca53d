import { request } from "../core/sync.js";

/**
 * The REST calls for reports, moderation and mutes. Each method returns a promise that rejects with a Problem. The
 * results arrive over the stream. Each request names its account, so that the server refuses it if another account is
 * signed in.
 */
export class Moderation {
  #account;

  constructor(account) {
    this.#account = account;
  }

  /** `fields`: reason (spam | abuse | illegal | other), note. */
  report(commentId, fields) {
    return this.#send("update", `${comment(commentId)}/report`, fields);
  }

  /** `fields`: reason. */
  hide(commentId, fields) {
    return this.#send("update", `${comment(commentId)}/hidden`, fields);
  }

  restore(commentId) {
    return this.#send("delete", `${comment(commentId)}/hidden`);
  }

  /** Delete the comment's text from the database. Only owners may. `fields`: reason. */
  erase(commentId, fields) {
    return this.#send("update", `${comment(commentId)}/erasure`, fields);
  }

  /** Close the reports of this comment; it stays visible. */
  dismiss(commentId) {
    return this.#send("delete", `${comment(commentId)}/reports`);
  }

  /** `fields`: reason. */
  block(userId, fields) {
    return this.#send("update", `/api/users/${userId}/block`, fields);
  }

  unblock(userId) {
    return this.#send("delete", `/api/users/${userId}/block`);
  }

  /** `fields`: role (member | moderator | owner). */
  appoint(userId, fields) {
    return this.#send("update", `/api/users/${userId}/role`, fields);
  }

  /** Comments by this person no longer notify this account. */
  mute(userId) {
    return this.#send("update", `/api/users/${userId}/mute`, {});
  }

  unmute(userId) {
    return this.#send("delete", `/api/users/${userId}/mute`);
  }

  /** Read the muted people: {mutes: [{id, username}]}. */
  mutes() {
    return this.#send("read", "/api/mutes");
  }

  /** `place`: {commentable_type, commentable_id}. */
  lock({ commentable_type: type, commentable_id: id }, locked) {
    return this.#send("patch", `/api/commentables/${type}/${encodeURIComponent(id)}`, { locked });
  }

  #send(method, url, attrs) {
    const headers = { "Parley-User": this.#account.id ?? "" };
    return request(method, this.#account, { url, attrs, headers });
  }
}

const comment = (id) => `/api/comments/${id}`;
