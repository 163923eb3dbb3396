/* SPDX-License-Identifier: MIT */
/* What an item says whatever its content is, by its kind; see webhook.h. Nothing here trusts a field to be there. */
#include "webhook/webhook.h"

const char *const cnk_webhook_kinds[CNK_WEBHOOK_KINDS] = {
    [CNK_WEBHOOK_MESSAGE] = "message",
    [CNK_WEBHOOK_ECHO] = "echo",
    [CNK_WEBHOOK_STATUS] = "status",
    [CNK_WEBHOOK_PAYMENT] = "payment",
    [CNK_WEBHOOK_CALL] = "call",
    [CNK_WEBHOOK_USER_PREFERENCES] = "user_preferences",
    [CNK_WEBHOOK_USER_ID_UPDATE] = "user_id_update",
    [CNK_WEBHOOK_GROUP] = "group",
    [CNK_WEBHOOK_AUTOMATIC_EVENT] = "automatic_event",
    [CNK_WEBHOOK_HISTORY] = "history",
    [CNK_WEBHOOK_STATE_SYNC] = "state_sync",
    [CNK_WEBHOOK_ACCOUNT] = "account",
    [CNK_WEBHOOK_ERROR] = "error",
    [CNK_WEBHOOK_UNKNOWN] = "unknown",
};

const char *const cnk_webhook_remark_types[] = {"reaction", "edit", "revoke", "system", NULL};

/* ---- fields of the same meaning under other names ------------------------------------------------------------------------ */

/* A field of an item, and the fact that it is. Of several for one fact the last one that is good counts. */
struct field {
  const char *name;
  size_t offset;
  bool is_word; /* any text, not an id */
};

#define ID(name, fact)                                                                                                 \
  {                                                                                                                    \
    name, offsetof(struct cnk_webhook_facts, fact), false                                                              \
  }
#define WORD(name, fact)                                                                                               \
  {                                                                                                                    \
    name, offsetof(struct cnk_webhook_facts, fact), true                                                               \
  }
#define END                                                                                                            \
  {                                                                                                                    \
    NULL, 0, false                                                                                                     \
  }

static const struct field message_fields[] = {
    ID("from", from),
    ID("id", id),
    ID("user_id", user_id),
    ID("from_user_id", user_id),
    ID("from_parent_user_id", parent_user_id),
    ID("group_id", group_id),
    END,
};

/* It has no `from`: events of a conversation are known by their customer, and to filters it must not look like one's. */
static const struct field echo_fields[] = {
    ID("id", id), ID("to_user_id", recipient), ID("to", recipient), ID("to_user_id", recipient_user_id), END,
};

static const struct field status_fields[] = {
    ID("id", id),
    WORD("status", status),
    ID("recipient_user_id", recipient),
    ID("recipient_id", recipient),
    ID("recipient_user_id", recipient_user_id),
    END,
};

/* In a group each participant is a receiver, and `recipient_id` is the group. */
static const struct field group_status_fields[] = {
    ID("id", id),
    WORD("status", status),
    ID("recipient_id", group_id),
    ID("recipient_participant_user_id", recipient),
    ID("recipient_participant_id", recipient),
    ID("recipient_participant_user_id", recipient_user_id),
    END,
};

static const struct field call_fields[] = {ID("id", id), WORD("event", event), WORD("status", status), END};
static const struct field caller_fields[] = {
    ID("from", from),
    ID("from_user_id", user_id),
    ID("from_parent_user_id", parent_user_id),
    END,
};
/* A status of a call names its receiver. */
static const struct field callee_fields[] = {
    ID("recipient_user_id", recipient),
    ID("recipient_id", recipient),
    ID("to_user_id", recipient),
    ID("to", recipient),
    ID("recipient_user_id", recipient_user_id),
    ID("to_user_id", recipient_user_id),
    END,
};

static const struct field preference_fields[] = {
    ID("wa_id", from),          ID("user_id", user_id), ID("parent_user_id", parent_user_id),
    WORD("category", category), WORD("value", value),   END,
};

static const struct field update_fields[] = {ID("wa_id", from), END};
static const struct field group_fields[] = {ID("group_id", id), END};
static const struct field id_fields[] = {ID("id", id), END};
static const struct field no_fields[] = {END};
static const struct field account_fields[] = {
    WORD("event", event),
    ID("phone_number", display_phone_number),
    ID("display_phone_number", display_phone_number),
    END,
};

static void read_fields(struct cnk_webhook *it, const struct cnk_node *node, const struct field *fields,
                        struct cnk_webhook_facts *facts)
{
  for (; fields->name; fields++) {
    const struct cnk_node *value = cnk_node_field(node, fields->name);
    if (!value)
      continue;
    struct cnk_text text = fields->is_word ? cnk_webhook_text(it, value) : cnk_webhook_id(it, value);
    if (text.data)
      *(struct cnk_text *)(void *)((char *)facts + fields->offset) = text;
  }
}

/* ---- kinds of their own form --------------------------------------------------------------------------------------------- */

/* Types of a `system` message by which a person gets another number or user id. */
static bool is_change(const struct cnk_node *type)
{
  static const char *const types[] = {"user_changed_number", "customer_changed_number", "user_changed_user_id",
                                      "user_id_update"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (cnk_node_says(type, types[i]))
      return true;
  return false;
}

static void read_change(struct cnk_webhook *it, const struct cnk_node *system, struct cnk_webhook_change *change)
{
  change->is_there = is_change(cnk_node_field(system, "type"));
  if (!change->is_there)
    return;
  change->wa_id = cnk_webhook_id(it, cnk_node_field(system, "wa_id"));
  if (!change->wa_id.data)
    change->wa_id = cnk_webhook_id(it, cnk_node_field(system, "new_wa_id"));
  change->customer = cnk_webhook_id(it, cnk_node_field(system, "customer"));
  change->user_id = cnk_webhook_id(it, cnk_node_field(system, "user_id"));
  change->previous_user_id = cnk_webhook_id(it, cnk_node_field(system, "previous_user_id"));
  change->parent_user_id = cnk_webhook_id(it, cnk_node_field(system, "parent_user_id"));
  change->previous_parent_user_id = cnk_webhook_id(it, cnk_node_field(system, "previous_parent_user_id"));
}

/* What a message or an echo says by the type of its content. */
static void read_type(struct cnk_webhook *it, const struct cnk_node *item, struct cnk_webhook_facts *facts)
{
  const struct cnk_node *type = cnk_node_field(item, "type");
  for (const char *const *name = cnk_webhook_remark_types; *name; name++) {
    if (!cnk_node_says(type, *name))
      continue;
    const struct cnk_node *content = cnk_node_field(item, *name);
    facts->is_remark = cnk_node_is(content, CNK_NODE_OBJECT);
    facts->is_system = facts->is_remark && cnk_node_says(type, "system");
    if (facts->is_system)
      read_change(it, content, &facts->change);
  }
}

/* Whether the business called: as the call says, or else as its number does. */
static bool is_from_business(struct cnk_webhook *it, const struct cnk_webhook_item *item)
{
  const struct cnk_node *direction = cnk_node_field(item->node, "direction");
  struct cnk_text ours = item->scope->display_phone_number;
  if (cnk_node_is(direction, CNK_NODE_TEXT))
    return cnk_node_says(direction, "BUSINESS_INITIATED");
  struct cnk_text from = cnk_webhook_id(it, cnk_node_field(item->node, "from"));
  return from.data && ours.data && cnk_text_is_equal(from, ours);
}

/* The customer is `from` when they called, else `recipient`. */
static void read_call(struct cnk_webhook *it, const struct cnk_webhook_item *item, struct cnk_webhook_facts *facts)
{
  bool is_ours = cnk_node_says(cnk_node_field(item->node, "type"), "call") || is_from_business(it, item);
  read_fields(it, item->node, call_fields, facts);
  read_fields(it, item->node, is_ours ? callee_fields : caller_fields, facts);
}

/* An id from an object of the one before and the one now, or from an id alone. */
static struct cnk_text read_changed_id(struct cnk_webhook *it, const struct cnk_node *change, struct cnk_text *previous)
{
  if (!cnk_node_is(change, CNK_NODE_OBJECT))
    return cnk_webhook_id(it, change);
  *previous = cnk_webhook_id(it, cnk_node_field(change, "previous"));
  return cnk_webhook_id(it, cnk_node_field(change, "current"));
}

static void read_update(struct cnk_webhook *it, const struct cnk_node *item, struct cnk_webhook_facts *facts)
{
  read_fields(it, item, update_fields, facts);
  facts->user_id = read_changed_id(it, cnk_node_field(item, "user_id"), &facts->previous_user_id);
  facts->parent_user_id = read_changed_id(it, cnk_node_field(item, "parent_user_id"), &facts->previous_parent_user_id);
}

/* Of a message, or of its payment. */
static void read_status(struct cnk_webhook *it, const struct cnk_node *item, struct cnk_webhook_facts *facts)
{
  bool is_of_group = cnk_node_says(cnk_node_field(item, "recipient_type"), "group");
  read_fields(it, item, is_of_group ? group_status_fields : status_fields, facts);
  if (facts->kind == CNK_WEBHOOK_STATUS && !facts->status.data)
    facts->status = (struct cnk_text){"unknown", sizeof "unknown" - 1};
}

static void read_by_kind(struct cnk_webhook *it, const struct cnk_webhook_item *item, struct cnk_webhook_facts *facts)
{
  const struct cnk_node *node = item->node;
  switch (facts->kind) {
  case CNK_WEBHOOK_MESSAGE:
  case CNK_WEBHOOK_ECHO:
    read_fields(it, node, facts->kind == CNK_WEBHOOK_ECHO ? echo_fields : message_fields, facts);
    read_type(it, node, facts);
    break;
  case CNK_WEBHOOK_STATUS:
  case CNK_WEBHOOK_PAYMENT: read_status(it, node, facts); break;
  case CNK_WEBHOOK_CALL: read_call(it, item, facts); break;
  case CNK_WEBHOOK_USER_PREFERENCES: read_fields(it, node, preference_fields, facts); break;
  case CNK_WEBHOOK_USER_ID_UPDATE: read_update(it, node, facts); break;
  case CNK_WEBHOOK_GROUP: read_fields(it, node, group_fields, facts); break;
  case CNK_WEBHOOK_AUTOMATIC_EVENT: read_fields(it, node, id_fields, facts); break;
  case CNK_WEBHOOK_HISTORY: read_fields(it, node, item->is_old ? id_fields : no_fields, facts); break;
  case CNK_WEBHOOK_ACCOUNT:
    facts->account_id = cnk_webhook_id(it, item->entry.id);
    read_fields(it, cnk_node_field(node, "value"), account_fields, facts);
    break;
  default: break;
  }
}

/* Where an item of the kind says its time. */
static const struct cnk_node *time_of(const struct cnk_webhook_item *item)
{
  const struct cnk_node *node = item->node;
  switch (item->facts.kind) {
  case CNK_WEBHOOK_UNKNOWN: return NULL;
  case CNK_WEBHOOK_ACCOUNT:
    return item->entry.time ? item->entry.time : cnk_node_field(cnk_node_field(node, "value"), "timestamp");
  case CNK_WEBHOOK_ERROR: return item->entry.time;
  case CNK_WEBHOOK_STATE_SYNC: return cnk_node_field(cnk_node_field(node, "metadata"), "timestamp");
  default: return cnk_node_field(node, "timestamp");
  }
}

/* ---- the contact ----------------------------------------------------------------------------------------------------------- */

/* Whether somebody else than the business is the event's author. */
static bool has_sender(const struct cnk_webhook_facts *facts)
{
  switch (facts->kind) {
  case CNK_WEBHOOK_MESSAGE: return true;
  case CNK_WEBHOOK_ECHO:
  case CNK_WEBHOOK_STATUS:
  case CNK_WEBHOOK_ERROR: return false;
  default: return facts->from.data || facts->user_id.data;
  }
}

/* Of a sender: one that only names its receiver keeps to that name, since its conversation is that of the number. The single
 * contact gives its name in any case, but its ids only when the sender is not plainly somebody else. */
static void complete_ids(struct cnk_webhook_facts *facts)
{
  const struct cnk_webhook_contact *contact = facts->contact;
  if (facts->from.data && !(contact->wa_id.data && cnk_text_is_equal(facts->from, contact->wa_id)))
    return;
  if (!facts->user_id.data)
    facts->user_id = contact->user_id;
  if (!facts->parent_user_id.data)
    facts->parent_user_id = contact->parent_user_id;
}

static void read_scope(const struct cnk_webhook_scope *scope, struct cnk_webhook_facts *facts)
{
  facts->phone_number_id = scope->phone_number_id;
  if (scope->display_phone_number.data)
    facts->display_phone_number = scope->display_phone_number;
  if (facts->kind == CNK_WEBHOOK_STATE_SYNC) /* whose contact is of the phone's address book */
    return;
  struct cnk_webhook_contact *contact = cnk_webhook_contact_of(scope, facts);
  if (!contact)
    return;
  contact->senders += facts->kind == CNK_WEBHOOK_MESSAGE;
  facts->contact = contact;
  facts->name = contact->name;
  facts->username = contact->username;
  if (has_sender(facts))
    complete_ids(facts);
}

void cnk_webhook_read_facts(struct cnk_webhook *it, struct cnk_webhook_item *item)
{
  struct cnk_webhook_facts *facts = &item->facts;
  read_by_kind(it, item, facts);
  facts->has_timestamp = cnk_webhook_time(it, time_of(item), &facts->timestamp);
  read_scope(item->scope, facts);
}
