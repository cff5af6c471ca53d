import { uuid } from "./uuid.js";

const NOT_FOUND = 404;
const STATES = { create: "sending", edit: "saving", delete: "deleting" };

/** The attributes of a comment that its author has just written and the server has not seen. */
export const draft = (body, author, commentable) => ({
  id: uuid(),
  body,
  user_id: author.id,
  username: author.get("username"),
  ...commentable,
  parent_id: null,
  created_at: new Date().toISOString(),
  edited: false,
  current_user_can_edit: true,
});

/**
 * One comment. Its attributes are always the server's last known state (or, unsent, the draft); what its
 * author wants and the server has not confirmed lies beside them:
 *
 *   pending   {act: "create" | "edit" | "delete", body} while a request is under way, else null
 *   refusal   {act, body, problem} after a refused one, until the next try, else null
 *
 * So an optimistic change needs no undoing, and a change by others in between is not painted over.
 * Whenever either changes the model triggers "standing".
 */
export const Comment = Backbone.Model.extend({
  urlRoot: "/api/comments/",
  pending: null,
  refusal: null,
  rewritten: false,

  // The id is ours from the start, so it says nothing; `created_seq` only the server gives.
  isNew() {
    return !this.has("created_seq");
  },

  /** What to show: the text its author wants it to have. */
  text() {
    return this.pending?.body ?? this.get("body");
  },

  /** "settled", "sending", "saving", "deleting" or "refused". */
  state() {
    if (this.pending) return STATES[this.pending.act];
    return this.refusal ? "refused" : "settled";
  },

  /** Create it on the server. Trying again is safe: the id is the same. */
  post() {
    const body = this.get("body");
    this.stand({ act: "create", body }, null);
    this.save(null, {
      attrs: this.pick("id", "body", "commentable_type", "commentable_id", "parent_id"),
      success: () => this.posted(body),
      error: (_, problem) => this.isNew() && this.refuse(problem),
    });
  },

  // When the first try did reach the server, it has kept that text: what was rewritten since is an edit.
  posted(body) {
    const late = this.rewritten && this.get("body") !== body;
    this.rewritten = false;
    this.stand(null, null);
    if (late) this.edit(body, this.get("seq"));
  },

  /** Change the text, provided that it has not changed after `seq`. */
  edit(body, seq) {
    if (this.isNew()) return this.rewrite(body);
    this.stand({ act: "edit", body }, null);
    this.save(
      { body },
      {
        patch: true,
        wait: true,
        ifMatch: seq,
        success: () => this.stand(null, null),
        error: (_, problem) => this.refuse(problem),
      },
    );
  },

  rewrite(body) {
    this.rewritten = true;
    this.set({ body });
    this.post();
  },

  /** Delete it on the server. One that is gone already is as good as deleted. */
  remove() {
    this.stand({ act: "delete" }, null);
    this.destroy({
      wait: true,
      error: (_, problem) => {
        if (problem.status === NOT_FOUND) this.trigger("destroy", this, this.collection, {});
        else this.refuse(problem);
      },
    });
  },

  /** Take over a state that the stream or a refusal brought, unless ours is newer. */
  absorb(state) {
    if (this.isOlderThan(state)) this.set(state);
    if (this.wishes(state)) this.stand(null, null);
  },

  // Backbone calls this with the answer to a request, which the stream may have overtaken.
  parse(state) {
    return this.isOlderThan(state) ? state : this.attributes;
  },

  isOlderThan(state) {
    return state.seq > (this.get("seq") ?? -1);
  },

  // Is this what its author asked for? Then whether the request itself is answered does not matter.
  wishes(state) {
    const wish = this.pending ?? this.refusal;
    return wish?.act === "create" || (wish?.act === "edit" && wish.body === state.body);
  },

  refuse(problem) {
    const { act, body } = this.pending ?? {};
    this.stand(null, { act, body, problem });
    if (problem.comment) this.absorb(problem.comment);
    this.trigger("refused", this, problem);
  },

  stand(pending, refusal) {
    this.pending = pending;
    this.refusal = refusal;
    this.trigger("standing", this);
  },
});
