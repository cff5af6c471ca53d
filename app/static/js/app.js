// The composition root of the browser. Each feature has a start.js, which adds the feature's views and collections to the
// page. docs/browser.md lists what tests and the console find in `window.parley`.
//
//   EventSource → Stream → StreamLeader (in the leading tab) → StreamClient (in each tab) → bus → models → views
//   a person → a view → a model → its sync → Outbox → OutboxSender (in the leading tab) → Backbone.sync → REST

import "./core/delegation.js";
import "./core/sync.js";
import { Account } from "./account/account.js";
import { startAccount } from "./account/start.js";
import { bus } from "./core/bus.js";
import { startClock } from "./core/clock.js";
import { LazyPart } from "./core/lazy_part.js";
import { startEmbedding } from "./embed/start.js";
import { LivePage } from "./live/live_page.js";
import { startModeration } from "./moderation/start.js";
import { startNotifications } from "./notifications/start.js";
import { storePages } from "./offline/service_worker_client.js";
import { Drafts } from "./outbox/drafts.js";
import { Outbox } from "./outbox/outbox.js";
import { OutboxSender } from "./outbox/outbox_sender.js";
import { startFront } from "./pages/start.js";
import { startStatus } from "./stream/start.js";
import { StreamClient } from "./stream/stream_client.js";
import { StreamLeader } from "./stream/stream_leader.js";
import { Tabs } from "./stream/tabs.js";
import { startCommentables, startThread } from "./thread/start.js";

const page = JSON.parse(document.querySelector("#bootstrap").textContent);
const account = new Account(page.user ?? {}, { bus });
const viewer = () => account.id ?? null;
/** @type {any} A Parley.App */
const app = { page, bus, account, drafts: new Drafts(account), loading: () => LazyPart.loading };
Object.assign(app, { comments: null, likes: null, commentable: null, commentables: null });
app.live = new LivePage(app); // before the tabs, because both listen to "pagehide"
const tabs = new Tabs();
const outbox = new Outbox({ bus, tabs });
Object.assign(app, { outbox, connector: new StreamClient({ bus, tabs, viewer }) });
new StreamLeader(tabs, { pollsForGuests: page.readers === "collapsed" });
new OutboxSender({ outbox, tabs, bus, viewer });
startClock(page.now);
startNotifications(app);
startCommentables(app);
startAccount(app);
startStatus(app);
startModeration(app);
startThread(app);
startEmbedding(app);
startFront(app);
tabs.enter();
app.live.start();
storePages(account);
window.parley = app;
document.documentElement.dataset.scripts = "running"; // from now on every button works
