import { MODERATION_DIALOG_WANTED } from "../core/events.js";
import { DialogView } from "../ui/dialog_view.js";
import { isolated } from "../ui/isolated.js";

// The texts of the dialog for each act, and the request to send, whose result arrives over the stream. `submit` is the
// button, `done` is announced afterwards.
const ACTS = {
  hide: {
    title: () => "Hide this comment?",
    words: "Only its author and moderators will see it.",
    submit: "Hide",
    done: "Comment hidden.",
    request: ({ id }, { reason }) => ["update", `/api/comments/${id}/hidden`, { reason }],
  },
  restore: {
    title: () => "Restore this comment?",
    words: "Everyone will see it again.",
    submit: "Restore",
    done: "Comment restored.",
    request: ({ id }) => ["delete", `/api/comments/${id}/hidden`],
  },
  erase: {
    title: () => "Erase this comment for good?",
    words:
      "Its text is deleted from the database and cannot be restored. Readers see that a moderator removed it.",
    submit: "Erase for good",
    done: "Comment erased.",
    request: ({ id }, { reason }) => ["update", `/api/comments/${id}/erasure`, { reason }],
  },
  mute: {
    title: ({ name }) => `Mute ${isolated(name)}?`,
    words:
      "You won't be notified of their replies and mentions. You can unmute people on your account page.",
    submit: "Mute",
    done: "Muted.",
    request: ({ id }) => ["update", `/api/users/${id}/mute`],
  },
  block: {
    title: ({ name }) => `Block ${isolated(name)}?`,
    words: "They will be signed out everywhere and can't sign in again. Their comments stay.",
    submit: "Block",
    done: "Account blocked.",
    request: ({ id }, { reason }) => ["update", `/api/users/${id}/block`, { reason }],
  },
  appoint: {
    title: ({ name }) => `Change ${isolated(name)}'s role`,
    words:
      "Moderators can hide, lock and block. Owners can also appoint others. Takes effect immediately.",
    submit: "Save",
    done: "Role changed.",
    request: ({ id }, { role }) => ["update", `/api/users/${id}/role`, { role }],
  },
  unblock: {
    title: ({ name }) => `Unblock ${isolated(name)}?`,
    words: "They will be able to sign in and comment again.",
    submit: "Unblock",
    done: "Account unblocked.",
    request: ({ id }) => ["delete", `/api/users/${id}/block`],
  },
  lock: {
    title: () => "Lock this conversation?",
    words:
      "Only moderators will be able to comment. Authors can still edit or delete their own comments.",
    submit: "Lock",
    done: "Conversation locked.",
    request: ({ place }) => ["patch", `/api/commentables/${place}`, { locked: true }],
  },
  unlock: {
    title: () => "Unlock this conversation?",
    words: "Everyone will be able to comment again.",
    submit: "Unlock",
    done: "Conversation unlocked.",
    request: ({ place }) => ["patch", `/api/commentables/${place}`, { locked: false }],
  },
};
// The fields, and the acts whose dialog has them.
const FIELDS = { reason: ["hide", "erase", "block"], role: ["appoint"] };

/** @typedef {{ name: string, about: any }} Fields */

/** The dialog that asks for confirmation before an act of moderation, or before muting somebody. */
export const ModerationDialogView = /** @type {DialogWith<Fields>} */ (DialogView).extend({
  component: "decide",
  events: {
    ...DialogView.prototype.events,
    input: "storeDraft",
    "click .decide__cancel": "close",
  },

  initialize() {
    this.listenTo(this.bus, MODERATION_DIALOG_WANTED, this.open);
  },

  /** `name`: a key of ACTS. `about`: those of id, name, place and reason that the act needs. */
  open(name, about) {
    const { title, words, submit } = ACTS[name];
    Object.assign(this, { name, about });
    this.form.reset();
    this.part("title").textContent = title(about);
    this.part("words").textContent = words;
    this.part("submit").textContent = submit;
    this.form.fields.reason.value = this.draft().read()?.body ?? about.reason ?? "";
    const field = this.showField(name);
    this.showModal();
    (field ? this.form.fields[field] : this.part("submit")).focus();
  },

  // The reason is a draft (drafts.js) until it is sent, because the dialog may be closed by mistake.
  draft() {
    return this.drafts.at(`decision:${this.name}:${this.about.id ?? ""}`);
  },

  storeDraft() {
    if (FIELDS.reason.includes(this.name)) this.draft().save(this.form.fields.reason.value);
  },

  // Returns the name of the visible field, if there is one.
  showField(act) {
    for (const [field, acts] of Object.entries(FIELDS)) {
      this.form.fields[field].closest(".field").hidden = !acts.includes(act);
    }
    return Object.keys(FIELDS).find((field) => FIELDS[field].includes(act));
  },

  send() {
    const fields = this.form.values("reason", "role");
    return this.account.request(...ACTS[this.name].request(this.about, fields));
  },

  succeed() {
    this.draft().remove();
    this.announce(ACTS[this.name].done);
    this.close();
  },
});
