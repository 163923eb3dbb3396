/* SPDX-License-Identifier: MIT */
/* From an item of a webhook to what the store accepts. */
#ifndef CNK_WEBHOOK_EVENT_H
#define CNK_WEBHOOK_EVENT_H

#include "store/store.h"
#include "webhook/webhook.h"

/*
 * Whether the webhook's contact is surely the person of the event: they have an id in common, their numbers are two forms of
 * one, or nobody else can be meant, for it is a message, its contact's only one. A wrong guess would show a customer what is
 * somebody else's. Sets it in the facts; `is_same` tells whether two texts, which differ, name the same customer, however they
 * are written, and is seldom asked.
 */
void cnk_webhook_settle_contact(struct cnk_webhook_facts *facts,
                                bool (*is_same)(void *context, struct cnk_text a, struct cnk_text b), void *context);

/*
 * Sets in a zeroed event, with memory of the arena: who its person is, by all ids that the item tells of; when a customer
 * wrote; which message a status is of, and how far that is, but not why it failed; the message whose conversation it belongs to,
 * where it names no number; and the key of its repetition, unless it is known by its content. The body is the caller's to set.
 * False when memory is out.
 */
bool cnk_webhook_fill_event(const struct cnk_webhook_facts *facts, struct cnk_arena *arena, struct cnk_event *event);

#endif
