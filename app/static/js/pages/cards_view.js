import { counted } from "../ui/counted.js";

/** The cards of the front page. Each shows a commentable's title and its number of comments. */
export const CardsView = Backbone.View.extend({
  initialize() {
    this.listenTo(this.collection, "change add", this.render);
    this.collection.each((commentable) => this.render(commentable));
  },

  render(commentable) {
    const card = this.el.querySelector(`[data-commentable="${CSS.escape(commentable.name())}"]`);
    const { comments_count: count, title } = commentable.attributes;
    card.querySelector(".card__count").textContent =
      count === 0 ? "No comments yet" : counted(count, "comment");
    if (title) card.querySelector(".card__title a").textContent = title;
  },
});
