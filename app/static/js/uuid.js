/** A random UUID, on plain http too, where `crypto.randomUUID` does not exist. */
export { default as uuid } from "../vendor/uuid/v4.js";

/** (name, namespace) The UUID of that name in that namespace, which is one: the same everywhere. */
export { default as namedUuid } from "../vendor/uuid/v5.js";
