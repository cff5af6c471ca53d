/**
 * These notifications, which are the newest first, by the topic of their conversation. The conversation with the newest
 * one is first.
 * @returns {Map<string, any[]>}
 */
export function byConversation(notifications) {
  const found = new Map();
  for (const notification of notifications) {
    const topic = notification.place();
    found.set(topic, [...(found.get(topic) ?? []), notification]);
  }
  return found;
}
