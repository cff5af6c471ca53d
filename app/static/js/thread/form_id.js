import { namedUuid, uuid } from "../core/uuid.js";

/**
 * The id of the comment that a form posts: derived from the form's id and the text, as in `app/comments/form.py`. If
 * the browser has posted the form and the script posts the same text again, both ids are equal, and there is one
 * comment.
 * @param {string} formId
 * @param {string} text
 */
export function idOf(formId, text) {
  // A lone surrogate cannot be encoded, so the form has never posted such a text.
  return formId && text.isWellFormed?.() ? namedUuid(text, formId) : uuid();
}
