const UNREACHABLE = "Can't reach the server. Please try again.";
const UNEXPECTED = "Something went wrong. Please try again.";
const OURS = ["message", "toJSON"];

/** A failed request: the server's refusal (an RFC 9457 document), or no response (status 0). */
export class Problem {
  /**
   * @param {{
   *   status?: number,
   *   responseJSON?: { [member: string]: any },
   *   getResponseHeader?: (name: string) => string | null,
   * }} [xhr]
   */
  constructor(xhr) {
    const document = xhr?.responseJSON ?? {};
    Object.assign(this, _.omit(document, OURS)); // extension members; after a conflict, the current {comment: {…}}
    this.status = xhr?.status ?? 0;
    this.title = document.title ?? "";
    this.detail = document.detail ?? "";
    /** @type {{ field?: string, detail: string }[]} */
    this.errors = Array.isArray(document.errors) ? document.errors : [];
    this.retryAfter = Number(xhr?.getResponseHeader?.("Retry-After")) || 0; // seconds
  }

  get message() {
    if (this.status === 0) return UNREACHABLE;
    const details = this.errors.map((error) => error.detail).join(" ");
    return details || this.detail || this.title || UNEXPECTED;
  }

  /** The problem as it is stored in the outbox. */
  toJSON() {
    return { ...this, message: this.message };
  }
}
