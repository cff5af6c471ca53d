import { request } from "../core/sync.js";

/**
 * What people ask moderators to do, and what these do. Each is a promise, rejected with a Problem; what comes of it
 * arrives over the stream. A request says for whom it is: the server refuses it should somebody else be signed in.
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

  /** Delete its text from the database. For owners. `fields`: reason. */
  erase(commentId, fields) {
    return this.#send("update", `${comment(commentId)}/erasure`, fields);
  }

  /** The reports of this comment are seen to, and it may stand. */
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

  /** Their comments no longer notify this account. */
  mute(userId) {
    return this.#send("update", `/api/users/${userId}/mute`, {});
  }

  unmute(userId) {
    return this.#send("delete", `/api/users/${userId}/mute`);
  }

  /** {mutes: [{id, username}]} */
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
