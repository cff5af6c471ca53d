// The composition root of the browser. The page's JSON block holds user, snapshot and cursors from one database read,
// so the stream delivers every change after that read.
//
//   EventSource → Stream → StreamLeader (in the leading tab) → StreamClient (in each tab) → bus → models → views
//   a person → a view → a model → its sync → Outbox → OutboxSender (in the leading tab) → Backbone.sync → REST
//
// Hooks for tests and for the browser's console, in addition to the class names of the templates:
//   html[data-scripts]          running: all views exist. Until then, thread.css hides the buttons that need a view
//   window.parley               {account, comments, likes and commentable (null without a thread), commentables,
//                               notifications, connector, outbox, bus, loading}
//   parley.connector            .state, .lastEventId, .leads, .close(), .resume()
//   parley.outbox               .records, .ready
//   parley.loading()            the number of imports of lazy parts (lazy_part.js) in progress
//   .comment                    data-comment-id; data-state: settled | sending | saving | deleting | refused
//                               data-depth: its nesting level; [class~=is-target]: the target of a deep link
//   .comment-gone               data-gone-id, data-depth: the placeholder of a deleted comment with replies
//   .comment__unsaved           data-kind: edit | reply, of an unsaved text whose field is closed
//   .kept                       an unsent text without a field on this page
//   .undoing                    a comment whose deletion can still be undone
//   .thread__count, .badge      data-count: the number of comments, or of open reports
//   .account                    data-state: guest | signed-in
//   dialog.entry                data-mode: signin | signup | forgot | unlock | confirm | sent
//   dialog.report               data-state: asking | thanks
//   .menu__item                 data-act: link | report | mute | hide | restore | erase | block | appoint
//   .case, .decision            data-comment-id, data-act: a reported comment, and an entry of the audit log
//   .login, .notification       data-login-id; data-notification-id, data-state: read | unread
//   .mailed-link                data-state: missing | ready | stale | done
//   .light                      data-state: the stream's state (stream_states.js)
//                               data-says: nothing | reconnecting | offline | back | slow | refused

import { Account } from "./account/account.js";
import { AccountView } from "./account/account_view.js";
import { AuthButtonsView } from "./account/auth_buttons_view.js";
import { BASE } from "./core/base.js";
import { bus } from "./core/bus.js";
import { Clock, correctRelativeTimes } from "./core/clock.js";
import { AuditLog } from "./moderation/audit_log.js";
import { BadgeView } from "./moderation/badge_view.js";
import { BellView } from "./notifications/bell_view.js";
import { OutboxSender } from "./outbox/outbox_sender.js";
import { StreamClient } from "./stream/stream_client.js";
import { EDITOR } from "./thread/comment_view.js";
import { nameOf } from "./thread/commentable.js";
import { CommentableView } from "./thread/commentable_view.js";
import { Commentables, commentableTopic } from "./thread/commentables.js";
import { Comments } from "./thread/comments.js";
import { CommentsView } from "./thread/comments_view.js";
import { ComposerView } from "./thread/composer_view.js";
import { CountsPoll } from "./thread/counts_poll.js";
import { DeepLinkView } from "./thread/deep_link_view.js";
import { AnnouncerView } from "./ui/announcer_view.js";
import "./core/delegation.js";
import { RevealView } from "./account/reveal_view.js";
import {
  ACCOUNT_LEFT,
  AUTH_DIALOG_WANTED,
  LOGIN_RENEWED,
  MENU_WANTED,
  MODERATION_DIALOG_WANTED,
  REPORT_DIALOG_WANTED,
  SIGN_OUT_WANTED,
  STREAM_STATE,
} from "./core/events.js";
import { LazyPart, makeFor, makeWhenWanted } from "./core/lazy_part.js";
import { Router } from "./core/router.js";
import { Moderation } from "./moderation/moderation.js";
import { Reports } from "./moderation/reports.js";
import { Notifications } from "./notifications/notifications.js";
import { storePages } from "./offline/service_worker_client.js";
import { Drafts } from "./outbox/drafts.js";
import { Outbox } from "./outbox/outbox.js";
import { ConnectionStatus } from "./stream/connection_status.js";
import { ConnectionStatusView } from "./stream/connection_status_view.js";
import { Presence } from "./stream/presence.js";
import { PresenceView } from "./stream/presence_view.js";
import { StreamLeader } from "./stream/stream_leader.js";
import { Likes } from "./thread/likes.js";
import { LockView } from "./thread/lock_view.js";
import { MenuButtonView } from "./thread/menu_button_view.js";
import { OrderView } from "./thread/order_view.js";
import { OrphanedEditsView } from "./thread/orphaned_edits_view.js";
import { PagesView } from "./thread/pages_view.js";
import { NoticeView } from "./ui/notice_view.js";
import "./core/sync.js";
import { Tabs } from "./stream/tabs.js";

const page = JSON.parse(document.querySelector("#bootstrap").textContent);
const { user, thread, reports, decisions, notifications, cursors, topics } = page;
const { commentables, likes, undo_seconds } = page;
const QUEUE = "Moderation/queue"; // the server adds this topic for moderators
const clock = new Clock();
customElements.whenDefined("relative-time").then((Element) => correctRelativeTimes(clock, Element));
clock.set(page.now);
const names = commentables?.commentables.map(nameOf) ?? [];
// Public topics. The server adds an account's own topic itself.
const publicTopics = topics.filter((topic) => !topic.startsWith("User/"));
const countTopics = names.map(commentableTopic);
/** @type {any[]} */
const collections = [];
// Registered before the other `pagehide` listeners: once `tabs` has triggered TAB_SUSPENDED, the outbox stores no
// change until the page is back.
window.addEventListener("pagehide", () => {
  for (const collection of collections) collection.handlePageHide();
});
const account = new Account(user ?? {}, { bus });
const viewer = () => account.id ?? null;
const drafts = new Drafts(account);
const tabs = new Tabs();
const outbox = new Outbox({ bus, tabs });
const connector = new StreamClient({ bus, tabs, viewer });
const moderation = new Moderation(account);
/** @type {any[]} */
const ownCollections = [];
const empty = { comments: null, likes: null, commentable: null, commentables: null };
const loading = () => LazyPart.loading;
/** @type {Parley.Page} */
const parley = { account, ...empty, connector, outbox, bus, loading };
let accountSwitches = 0;

new StreamLeader(tabs);
new OutboxSender({ outbox, tabs, bus, viewer });
new Router({
  front: showFront,
  thread: showThread,
  embedded: showEmbedded,
  account: showSettings,
  inbox: showInbox,
  moderation: showModeration,
  mailedLink: showMailedLink,
});
parley.notifications = makeOwnCollection(Notifications, notifications);
if (commentables) parley.commentables = makeCollection(Commentables, commentables, { names });
if (commentables) new CountsPoll({ bus, collection: parley.commentables });
showChrome();
Backbone.history.start({ pushState: true, root: `${BASE}/` });
account.on("change", () => account.hasOtherRights() && switchAccount());
account.on(ACCOUNT_LEFT, handleLeft);
account.on(LOGIN_RENEWED, () => connector.resume());
outbox.setUser(viewer());
tabs.enter();
openStream(_.compact(cursors), _.compact([commentables?.cursor]));
storePages(account);
window.parley = parley;
document.documentElement.dataset.scripts = "running"; // from now on every button works

function showChrome() {
  new AnnouncerView({ el: ".announcer", bus });
  new AccountView({ el: ".account", model: account, bus });
  new BellView({ el: ".bell", collection: parley.notifications, bus, account });
  new NoticeView({ el: ".notice", model: account, bus });
  new ConnectionStatusView({ el: ".light", model: new ConnectionStatus({}, { bus }), bus });
  new RevealView({ el: document.body, bus });
  new AuthButtonsView({ el: document.body, bus });
  makeWhenWanted(
    AUTH_DIALOG_WANTED,
    () => import("./account/auth_dialog_view.js"),
    ({ AuthDialogView }) => new AuthDialogView({ el: ".entry", model: account, bus }),
  );
  makeWhenWanted(
    SIGN_OUT_WANTED,
    () => import("./account/sign_out_view.js"),
    ({ SignOutView }) => new SignOutView({ el: ".sign-out", model: account, bus, drafts, outbox }),
  );
  showBadge();
}

// Used in threads and on the moderation page.
function showDecisions() {
  makeWhenWanted(
    MODERATION_DIALOG_WANTED,
    () => import("./moderation/moderation_dialog_view.js"),
    ({ ModerationDialogView }) =>
      new ModerationDialogView({ el: ".decide", bus, moderation, drafts }),
  );
}

function showThread() {
  const el = document.querySelector(".thread");
  const collection = makeCollection(Comments, thread);
  const { topic, place } = collection;
  const presence = new Presence({}, { bus, topic, place, account });
  parley.comments = collection;
  parley.likes = makeOwnCollection(Likes, likes, { place, account, comments: collection });
  parley.commentable = parley.commentables?.named(topic) ?? null;
  collection.commentable = parley.commentable;
  collection.undoMs = undo_seconds * 1_000;
  const context = { bus, account, drafts, presence, likes: parley.likes };
  const { tree } = new CommentsView({ el, collection, ...context });
  new OrphanedEditsView({ el, collection, bus, account, drafts });
  new OrderView({ el, tree });
  new PagesView({ el, collection, bus });
  new PresenceView({ el, model: presence, account });
  new ComposerView({ el: ".composer", collection, bus, account, drafts, presence });
  new CommentableView({ el, model: parley.commentable, bus, account });
  new LockView({ el: ".thread__lock", model: parley.commentable, bus, account });
  new MenuButtonView({ el, bus });
  makeWhenWanted(
    MENU_WANTED,
    () => import("./thread/menu_view.js"),
    ({ MenuView }) => new MenuView({ el, collection, bus, account }),
  );
  makeWhenWanted(
    REPORT_DIALOG_WANTED,
    () => import("./thread/report_view.js"),
    ({ ReportView }) => new ReportView({ el: ".report", bus, moderation, drafts }),
  );
  showDecisions();
  new DeepLinkView({ el, collection, bus });
  prepareForOffline();
}

// People can edit offline, so the editor's code is loaded while the connection is up.
function prepareForOffline() {
  const prepare = () => {
    if (connector.state !== "live" || !account.isSignedIn()) return;
    bus.off(STREAM_STATE, prepare);
    EDITOR.prepare();
  };
  bus.on(STREAM_STATE, prepare);
}

// A thread in an iframe on a host's page.
function showEmbedded() {
  showThread();
  const part = new LazyPart(() => import("./embed/host.js"));
  part.use(({ Host }) => new Host(document.querySelector(".thread"), parley.comments).enter());
}

function showFront() {
  const el = document.querySelector(".front__list");
  if (!el) return;
  makeFor(
    el,
    () => import("./pages/cards_view.js"),
    ({ CardsView }) => new CardsView({ el, collection: parley.commentables }),
  );
}

// Make a live collection of this page; by default, of the page's first topic.
function makeCollection(Collection, snapshot, options = /** @type {object} */ (firstTopic())) {
  const collection = new Collection([], { bus, outbox, ...options });
  collection.replace(snapshot);
  collections.push(collection);
  return collection;
}

function firstTopic() {
  const [topic] = publicTopics;
  return { topic, place: placeOf(topic) };
}

// Make a live collection on the account's own topic. A guest's `snapshot` is null, and the collection stays empty.
function makeOwnCollection(Collection, snapshot, options = /** @type {object} */ ({ place: {} })) {
  const collection = new Collection([], { bus, outbox, topic: null, ...options });
  collection.setUser(viewer());
  if (snapshot) collection.replace(snapshot);
  ownCollections.push(collection);
  return collection;
}

function showInbox() {
  const el = document.querySelector(".inbox");
  makeFor(
    el,
    () => import("./notifications/inbox_view.js"),
    ({ InboxView }) => new InboxView({ el, collection: parley.notifications, bus, account }),
  );
}

function showSettings() {
  const el = document.querySelector(".settings");
  makeFor(
    el,
    () => import("./account/settings_view.js"),
    ({ SettingsView }) => new SettingsView({ el, model: account, bus, moderation }),
  );
}

// Moderators see the number of open reports on every page.
function showBadge() {
  parley.reports = makeModerationCollection(Reports, reports ?? { reports: [], before: null });
  new BadgeView({ el: ".badge", collection: parley.reports, account });
}

function showModeration() {
  const auditLog = makeModerationCollection(AuditLog, decisions);
  const el = document.querySelector(".desk");
  const lists = { reports: parley.reports, decisions: auditLog };
  makeFor(
    el,
    () => import("./moderation/moderation_page_view.js"),
    ({ ModerationPageView }) => new ModerationPageView({ el, bus, account, moderation, ...lists }),
  );
  showDecisions();
}

// Make a live collection on the moderators' topic.
function makeModerationCollection(Collection, snapshot) {
  const topic = QUEUE;
  const collection = new Collection([], { bus, outbox, account, topic, place: placeOf(topic) });
  collection.replace(snapshot);
  collections.push(collection);
  return collection;
}

function showMailedLink() {
  const el = document.querySelector(".mailed-link");
  makeFor(
    el,
    () => import("./account/mailed_link_view.js"),
    ({ MailedLinkView }) => new MailedLinkView({ el, account }),
  );
}

// Another account uses this page: read all snapshots for it, and open the stream from their cursors.
async function switchAccount() {
  accountSwitches += 1;
  const current = accountSwitches;
  connector.close();
  for (const collection of collections) collection.endUndo();
  if (account.isSignedIn()) outbox.setUser(viewer());
  else outbox.hold();
  for (const collection of ownCollections) collection.setUser(viewer());
  const all = [...collections, ...(account.isSignedIn() ? ownCollections : [])];
  const snapshots = await Promise.all(all.map((collection) => collection.refetch()));
  if (current !== accountSwitches) return;
  const [ofCounts, others] = _.partition(snapshots, (snapshot) => snapshot.commentables);
  openStream(..._.map([others, ofCounts], cursorsOf));
}

// After a deliberate sign-out, the page shows no unsent changes; the outbox keeps them for the next sign-in. If the
// account was deleted, they are discarded.
function handleLeft(reason) {
  if (reason === "deleted") outbox.discardAll();
  if (reason === "signed_out") outbox.setUser(null);
}

// A guest without topics needs no stream. An account always has its own topic.
function openStream(cursors, countCursors) {
  const hasTopics = publicTopics.length + countTopics.length > 0 || account.isSignedIn();
  if (hasTopics)
    connector.open(publicTopics, cursors, { topics: countTopics, cursors: countCursors });
  else connector.close();
}

function cursorsOf(snapshots) {
  return _.compact(snapshots.flatMap(({ cursor }) => cursor));
}

// "Article/1": the type ends at the first slash.
function placeOf(topic) {
  const slash = topic.indexOf("/");
  return { commentable_type: topic.slice(0, slash), commentable_id: topic.slice(slash + 1) };
}
