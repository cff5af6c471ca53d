/**
 * `uuid()` is random, on plain http too, where `crypto.randomUUID` does not exist. `namedUuid(name, namespace)` is
 * derived: the same name in the same namespace has the same UUID everywhere.
 */
export { v4 as uuid, v5 as namedUuid } from "uuid";
