// Plain models and a plain collection of Backbone's own classes, and a record of their events and callbacks.

import { loadOurs } from "./load.js";

await loadOurs();

let requests = 0; // under way

const { send } = XMLHttpRequest.prototype;
XMLHttpRequest.prototype.send = function (body) {
  requests += 1;
  this.addEventListener("loadend", () => {
    requests -= 1;
  });
  send.call(this, body);
};

const Thing = Backbone.Model.extend({
  urlRoot: "/things",
  validate: ({ title }) => (title === "" ? "a title is wanted" : undefined),
});
const Things = Backbone.Collection.extend({ model: Thing, url: "/things" });

/** Runs code with new models. Returns its value, the events, and the state of the models. */
window.act = async (code) => {
  const events = [];
  const model = new Thing({ id: 1, title: "Old" });
  const fresh = new Thing({ title: "New" });
  const homeless = new Backbone.Model({ id: 1 });
  const things = new Things([model]);
  const record = (name, args) => events.push([name, ...args.map(called)].join(" "));
  const hooks = (more) => ({
    ...more,
    success: (...args) => record("success", args),
    error: (...args) => record("error", args),
    complete: (xhr, status) => events.push(`complete ${status}`),
  });
  const kinds = new Map([
    [model, "model"],
    [fresh, "fresh"],
    [things, "things"],
  ]);
  const called = (value) => kinds.get(value) ?? kindOf(value);
  for (const one of [model, fresh, things]) {
    // A collection repeats the events of its models.
    const isRepeated = (subject) => one === things && subject === model;
    one.on("all", (name, ...args) => isRepeated(args[0]) || record(`${called(one)}: ${name}`, args));
  }
  const emulation = { emulateHTTP: Backbone.emulateHTTP, emulateJSON: Backbone.emulateJSON };
  let returned;
  try {
    const act = new Function("model", "fresh", "things", "homeless", "hooks", "events", `return ${code}`);
    returned = called(act(model, fresh, things, homeless, hooks, events));
    while (requests > 0) await new Promise((resolve) => setTimeout(resolve));
  } catch (error) {
    returned = `throws ${error.message}`;
  }
  Object.assign(Backbone, emulation);
  return { returned, events, model: model.attributes, fresh: fresh.attributes, things: things.pluck("id") };
};

function kindOf(value) {
  if (value instanceof Backbone.Model) return `a model ${value.id}`;
  if (value?.constructor?.name === "Problem") return `Problem ${value.status}`;
  if (value?.getResponseHeader) return `xhr ${value.status ?? 0}`;
  if (value && "emulateHTTP" in Object(value)) return value.xhr ? "options" : "options without xhr";
    return value !== null && typeof value === "object" ? "data" : String(value);
}

window.ready = true;
