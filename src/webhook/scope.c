/* SPDX-License-Identifier: MIT */
/* What the items of a value share: the business number and the contacts; and which contact is an event's. See webhook.h. */
#include "webhook/webhook.h"
#include "whatsapp/identity.h"

static void read_contact(struct cnk_webhook *it, const struct cnk_node *node, struct cnk_webhook_contact *contact)
{
  const struct cnk_node *profile = cnk_node_field(node, "profile");
  contact->node = node;
  contact->wa_id = cnk_webhook_id(it, cnk_node_field(node, "wa_id"));
  contact->user_id = cnk_webhook_id(it, cnk_node_field(node, "user_id"));
  contact->parent_user_id = cnk_webhook_id(it, cnk_node_field(node, "parent_user_id"));
  contact->name = cnk_webhook_text(it, cnk_node_field(profile, "name"));
  contact->username = cnk_webhook_text(it, cnk_node_field(profile, "username"));
}

/* Each under its ids, unless one before it has them. */
static void index_contacts(struct cnk_webhook *it, struct cnk_webhook_scope *scope)
{
  scope->ids = cnk_webhook_new_ids(it, 2 * scope->contacts_count);
  if (!scope->ids)
    return;
  for (size_t i = 0; i < scope->contacts_count; i++) {
    cnk_webhook_add_id(scope->ids, scope->contacts[i].wa_id, i);
    cnk_webhook_add_id(scope->ids, scope->contacts[i].user_id, i);
  }
  cnk_webhook_sort_ids(scope->ids);
}

static void read_contacts(struct cnk_webhook *it, const struct cnk_node *list, struct cnk_webhook_scope *scope)
{
  if (!cnk_node_is(list, CNK_NODE_LIST) || list->count == 0)
    return;
  const struct cnk_node *item = list + 1;
  scope->contacts = cnk_webhook_take(it, list->count * sizeof *scope->contacts);
  if (!scope->contacts)
    return;
  for (uint32_t i = 0; i < list->count; i++, item = cnk_node_next(item))
    if (cnk_node_is(item, CNK_NODE_OBJECT))
      read_contact(it, item, &scope->contacts[scope->contacts_count++]);
  scope->has_only_contact = list->count == 1 && scope->contacts_count == 1;
  if (list->count > 1)
    index_contacts(it, scope);
}

struct cnk_webhook_scope *cnk_webhook_new_scope(struct cnk_webhook *it, const struct cnk_node *value, bool has_contacts)
{
  struct cnk_webhook_scope *scope = cnk_webhook_take(it, sizeof *scope);
  const struct cnk_node *metadata = cnk_node_field(value, "metadata");
  if (!scope)
    return NULL;
  scope->metadata = cnk_node_is(metadata, CNK_NODE_NULL) ? NULL : metadata;
  scope->phone_number_id = cnk_webhook_id(it, cnk_node_field(metadata, "phone_number_id"));
  scope->display_phone_number = cnk_webhook_id(it, cnk_node_field(metadata, "display_phone_number"));
  if (has_contacts)
    read_contacts(it, cnk_node_field(value, "contacts"), scope);
  return scope;
}

static bool is_other_number(struct cnk_text number, struct cnk_text wa_id)
{
  char a[CNK_NUMBER_MAX], b[CNK_NUMBER_MAX];
  if (!number.data || !wa_id.data || cnk_text_is_equal(number, wa_id))
    return false;
  return !cnk_text_is_equal(cnk_identity_canonical(number, a), cnk_identity_canonical(wa_id, b));
}

/* Whether an event is of somebody else than the only contact of its value. The sender of a message that is alone may have two
 * numbers. */
static bool is_anothers(const struct cnk_webhook_scope *scope, const struct cnk_webhook_facts *facts)
{
  const struct cnk_webhook_contact *contact = scope->contacts;
  struct cnk_text user_id = facts->user_id.data ? facts->user_id : facts->recipient_user_id;
  struct cnk_text number = facts->from.data ? facts->from : facts->recipient;
  if (scope->items <= 1)
    return false;
  if (user_id.data && contact->user_id.data)
    return !cnk_text_is_equal(user_id, contact->user_id);
  return !(user_id.data && cnk_text_is_equal(user_id, number)) && is_other_number(number, contact->wa_id);
}

struct cnk_webhook_contact *cnk_webhook_contact_of(const struct cnk_webhook_scope *scope,
                                                   const struct cnk_webhook_facts *facts)
{
  const struct cnk_text ids[] = {facts->from, facts->user_id, facts->recipient, facts->recipient_user_id};
  if (scope->has_only_contact)
    return is_anothers(scope, facts) ? NULL : scope->contacts;
  for (size_t i = 0; scope->ids && i < sizeof ids / sizeof *ids; i++) {
    size_t number =
        ids[i].data ? cnk_webhook_first_of(scope->ids, ids[i], scope->contacts_count) : scope->contacts_count;
    if (number < scope->contacts_count)
      return &scope->contacts[number];
  }
  return NULL;
}
