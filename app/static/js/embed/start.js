import { LazyPart } from "../core/lazy_part.js";

/** A thread in an iframe on a host's page. */
export function startEmbedding({ comments }) {
  if (!document.querySelector('meta[name="parley-hosts"]')) return;
  const part = new LazyPart(() => import("./host.js"));
  part.use(({ Host }) => new Host(document.querySelector(".thread"), comments).enter());
}
