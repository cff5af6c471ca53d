/** A random UUID, on plain http too, where `crypto.randomUUID` does not exist. */
export { default as uuid } from "../vendor/uuid/v4.js";
