// SPDX-License-Identifier: MIT
// What the programs in JavaScript take out of a webhook, and what they answer: the same for all that are written here.

export const headers = { "API-KEY": "bench", "Content-Type": "application/json", Accept: "application/json" };

export function textsOf(webhook) {
  const texts = [];
  for (const { changes } of webhook.entry)
    for (const { value } of changes)
      for (const message of value.messages ?? [])
        if (message.type === "text")
          texts.push({
            id: message.id,
            from: message.from,
            name: value.contacts[0].profile.name,
            at: Number(message.timestamp),
            to: value.metadata.phone_number_id,
            text: message.text.body,
          });
  return texts;
}

export function said(text) {
  return `Thank you for your ${text}. It will be with you tomorrow evening.`;
}

export function answerTo(event) {
  return JSON.stringify({ mobile: event.from, type: "text", text: said(event.text) });
}

// The id of the message that was accepted.
export function acceptedId(status, answer) {
  const id = answer.messages?.[0]?.id;
  if (status !== 200 || !id) throw new Error(`refused: ${status}`);
  return id;
}
