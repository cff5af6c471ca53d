const UNREACHABLE = "The server cannot be reached just now.";
const UNEXPECTED = "Something went wrong on the server. Please try again.";

/** Why the server refused, or that it did not answer (status 0). Made from RFC 9457 documents. */
export class Problem {
  constructor(xhr) {
    const document = xhr.responseJSON ?? {};
    this.status = xhr.status;
    this.title = document.title ?? "";
    this.detail = document.detail ?? "";
    this.errors = Array.isArray(document.errors) ? document.errors : [];
    this.comment = document.comment ?? null;
  }

  /** It may have taken effect all the same: nobody told us that it did not. */
  get isUncertain() {
    return this.status === 0 || this.status >= 500;
  }

  get message() {
    if (this.status === 0) return UNREACHABLE;
    const details = this.errors.map((error) => error.detail).join(" ");
    return details || this.detail || this.title || UNEXPECTED;
  }
}
