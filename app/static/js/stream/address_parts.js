/**
 * Split items, in their order, into parts. `addressOf` (items) makes an address of at most `maxLength` characters of
 * each part. Proxies refuse a request line over 8 KB.
 * @template T
 * @param {T[]} items
 * @param {(items: T[]) => string} addressOf
 * @returns {T[][]}
 */
export function addressParts(items, addressOf, maxLength = 4_000) {
  /** @type {T[][]} */
  const parts = [];
  for (const item of items) {
    const last = parts.at(-1);
    if (last && addressOf([...last, item]).length <= maxLength) last.push(item);
    else parts.push([item]);
  }
  return parts;
}
