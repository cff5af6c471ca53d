import { namedUuid, uuid } from "./uuid.js";

/**
 * The id of the comment that a form posts: derived from the form's id and the text, as `app/web/composer.py` derives it.
 * If the browser has posted the form already and the script posts the same text, there is one comment.
 */
export function idOf(formId, text) {
  // A lone surrogate cannot be encoded. Such a text has never been posted by the form.
  return formId && text.isWellFormed?.() ? namedUuid(text, formId) : uuid();
}
