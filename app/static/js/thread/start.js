import {
  FOLLOW_MENU_WANTED,
  MENU_WANTED,
  REPORT_DIALOG_WANTED,
  STREAM_STATE,
} from "../core/events.js";
import { showWhenWanted } from "../core/lazy_part.js";
import { Presence } from "../stream/presence.js";
import { PresenceView } from "../stream/presence_view.js";
import { EDITOR } from "./comment_view.js";
import { nameOf } from "./commentable.js";
import { CommentableView } from "./commentable_view.js";
import { Commentables } from "./commentables.js";
import { Comments } from "./comments.js";
import { CommentsView } from "./comments_view.js";
import { ComposerView } from "./composer_view.js";
import { CountsPoll } from "./counts_poll.js";
import { DeepLinkView } from "./deep_link_view.js";
import { Likes } from "./likes.js";
import { LockView } from "./lock_view.js";
import { MenuButtonView } from "./menu_button_view.js";
import { OrderView } from "./order_view.js";
import { OrphanedEditsView } from "./orphaned_edits_view.js";
import { PagesView } from "./pages_view.js";
import { ReadingView } from "./reading_view.js";

/** The things with comments that a page shows: one on a thread's page, many on the front page. */
export function startCommentables(app) {
  const { commentables: snapshot } = app.page;
  if (!snapshot) return;
  const names = snapshot.commentables.map(nameOf);
  app.commentables = app.live.add(Commentables, snapshot, { names });
  new CountsPoll({ bus: app.bus, collection: app.commentables });
}

/** A thread, on a page of its own or in an iframe. */
export function startThread(app) {
  const { live, page } = app;
  if (!page.thread) return;
  const collection = live.add(Comments, page.thread);
  const { topic, place } = collection;
  const commentable = app.commentables.named(topic);
  const likes = live.add(Likes, page.likes, { comments: collection });
  const presence = new Presence({}, { topic, place, ...app });
  collection.commentable = commentable;
  collection.undoMs = page.undo_seconds * 1_000;
  Object.assign(app, { comments: collection, likes, commentable });
  const thread = { el: ".thread", collection, presence, ...app };
  const { tree } = new CommentsView(thread);
  new OrphanedEditsView(thread);
  new OrderView({ ...thread, tree });
  new PagesView(thread);
  new PresenceView({ ...thread, model: presence });
  new ComposerView({ ...thread, el: ".composer" });
  new CommentableView({ ...thread, model: commentable });
  new LockView({ ...thread, el: ".thread__lock", model: commentable });
  new MenuButtonView(thread);
  showWhenWanted(MENU_WANTED, () => import("./menu_view.js"), thread);
  showWhenWanted(FOLLOW_MENU_WANTED, () => import("./follow_view.js"), {
    ...thread,
    el: ".follow",
  });
  if (page.mails && page.mails !== "usual") app.bus.trigger(FOLLOW_MENU_WANTED, "read");
  showWhenWanted(REPORT_DIALOG_WANTED, () => import("./report_view.js"), {
    ...app,
    el: ".report",
  });
  new DeepLinkView(thread);
  new ReadingView(thread);
  prepareForOffline(app);
}

// People can edit offline, so the editor's code is loaded while the connection is up.
function prepareForOffline({ account, bus, connector }) {
  const prepare = () => {
    if (connector.state !== "live" || !account.isSignedIn()) return;
    bus.off(STREAM_STATE, prepare);
    EDITOR.prepare();
  };
  bus.on(STREAM_STATE, prepare);
}
