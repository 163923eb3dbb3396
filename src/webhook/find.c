/* SPDX-License-Identifier: MIT */
/*
 * From a body to its items; see webhook.h.
 *
 * Bodies are nested at most CNK_JSON_DEPTH deep, so recursion over them is safe.
 */
#include "webhook/webhook.h"

const char *const cnk_webhook_account_types[] = {
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "business_capability_update",
    "business_status_update",
    "business_username_update",
    "flows",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messaging_handovers",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "template_category_update",
    "template_correct_category_detection",
    "tracking_events",
    NULL,
};

/* The lists of a value, in the order of their events. The words of most may mean something else in bodies whose form nobody
 * documents, so that these, where they are no lists, count beside other items only. */
static const struct part {
  const char *name;
  enum cnk_webhook_kind kind;
  bool is_always; /* an item, even where it is no list */
} parts[] = {
    {"messages",         CNK_WEBHOOK_MESSAGE,          true },
    {"message_echoes",   CNK_WEBHOOK_ECHO,             false},
    {"statuses",         CNK_WEBHOOK_STATUS,           true },
    {"calls",            CNK_WEBHOOK_CALL,             false},
    {"user_preferences", CNK_WEBHOOK_USER_PREFERENCES, false},
    {"user_id_update",   CNK_WEBHOOK_USER_ID_UPDATE,   false},
    {"groups",           CNK_WEBHOOK_GROUP,            false},
    {"automatic_events", CNK_WEBHOOK_AUTOMATIC_EVENT,  false},
    {"history",          CNK_WEBHOOK_HISTORY,          false},
    {"state_sync",       CNK_WEBHOOK_STATE_SYNC,       false},
    {"errors",           CNK_WEBHOOK_ERROR,            true },
};

enum { PARTS = sizeof parts / sizeof *parts };

static bool is_list(const struct cnk_node *node)
{
  return cnk_node_is(node, CNK_NODE_LIST);
}

static bool is_object(const struct cnk_node *node)
{
  return cnk_node_is(node, CNK_NODE_OBJECT);
}

/* ---- the items ----------------------------------------------------------------------------------------------------------- */

struct finder {
  struct cnk_webhook *it;
  struct cnk_webhook_entry entry;
};

/* Whether there is no use in more items. */
static bool is_over(const struct finder *f)
{
  return f->it->has_too_many || f->it->has_no_memory;
}

static void add(const struct finder *f, struct cnk_webhook_item item)
{
  struct cnk_webhook *it = f->it;
  if (it->most_items && it->count >= it->most_items)
    it->has_too_many = true;
  if (!item.scope || it->has_too_many)
    return;
  if (it->count == it->room && !cnk_webhook_grow(it))
    return;
  item.entry = f->entry;
  cnk_webhook_read_facts(it, &item);
  it->items[it->count++] = item;
}

/* Of the metadata that the item itself has, or a change in it: so that the raw part alone says as much. */
static void add_unknown(const struct finder *f, const struct cnk_node *node)
{
  const struct cnk_node *value = cnk_node_field(node, "value");
  const struct cnk_webhook_scope *scope = cnk_webhook_new_scope(f->it, is_object(value) ? value : node, false);
  add(f, (struct cnk_webhook_item){.facts.kind = CNK_WEBHOOK_UNKNOWN, .node = node, .scope = scope});
}

static void add_unknown_part(const struct finder *f, const struct cnk_node *name, const struct cnk_node *node,
                             const struct cnk_webhook_scope *scope)
{
  add(f, (struct cnk_webhook_item){.facts.kind = CNK_WEBHOOK_UNKNOWN, .node = node, .part = name, .scope = scope});
}

/* Statuses tell of calls and payments as well. */
static enum cnk_webhook_kind kind_of(enum cnk_webhook_kind kind, const struct cnk_node *node)
{
  if (kind != CNK_WEBHOOK_STATUS)
    return kind;
  const struct cnk_node *type = cnk_node_field(node, "type");
  return cnk_node_says(type, "payment") ? CNK_WEBHOOK_PAYMENT : cnk_node_says(type, "call") ? CNK_WEBHOOK_CALL : kind;
}

static void read_part(const struct finder *f, const struct cnk_node *list, enum cnk_webhook_kind kind, bool is_old,
                      const struct cnk_webhook_scope *scope)
{
  const struct cnk_node *node = list + 1;
  for (uint32_t i = 0; i < list->count && !is_over(f); i++, node = cnk_node_next(node)) {
    if (is_object(node))
      add(f,
          (struct cnk_webhook_item){.facts.kind = kind_of(kind, node), .is_old = is_old, .node = node, .scope = scope});
    else
      add_unknown(f, node);
  }
}

/* ---- what a value has ------------------------------------------------------------------------------------------------------ */

/* The number of the part of that name; PARTS when there is none. */
static int find_part(const struct cnk_node *name)
{
  int i = 0;
  while (i < PARTS && !(cnk_node_may_say(name, parts[i].name) && cnk_node_says(name, parts[i].name)))
    i++;
  return i;
}

/* What a body or a value has: the names of the parts that are lists, or count as items if they are none; whether there may
 * be more that is an item; and what leads to other values. Found in one pass, since most of what could be there is not. */
struct contents {
  const struct cnk_node *parts[PARTS], *entry, *changes, *value;
  bool has_more;
};

/* Names that never hold items. */
static bool is_no_part(const struct cnk_node *name)
{
  return cnk_node_says(name, "contacts") || cnk_node_says(name, "metadata") || cnk_node_says(name, "entry") ||
         cnk_node_says(name, "changes");
}

/* Of equal names the last one counts, so that it takes the place of what was found before. */
static void note_content(const struct cnk_node *name, struct contents *found)
{
  const struct cnk_node *value = cnk_node_value(name);
  int i = find_part(name);
  if (i < PARTS) {
    bool is_item = is_list(value) || (parts[i].is_always && !cnk_node_is(value, CNK_NODE_NULL));
    found->parts[i] = is_item ? name : NULL;
    found->has_more |= !is_item;
  } else if (cnk_node_says(name, "entry")) {
    found->entry = value;
  } else if (cnk_node_says(name, "changes")) {
    found->changes = value;
  } else {
    found->value = cnk_node_says(name, "value") ? value : found->value;
    found->has_more |= is_list(value) && !is_no_part(name);
  }
}

static struct contents find_contents(const struct cnk_node *value)
{
  struct contents found = {.has_more = false};
  const struct cnk_node *name = value + 1;
  for (uint32_t i = 0; i < value->count; i++, name = cnk_node_next_name(name))
    note_content(name, &found);
  return found;
}

/* ---- parts that this version does not know --------------------------------------------------------------------------------- */

/* Adds an unknown item for each object in such a list, or for the whole of what is no list. */
static void read_unknown_part(const struct finder *f, const struct cnk_node *name,
                              const struct cnk_webhook_scope *scope)
{
  const struct cnk_node *part = cnk_node_value(name), *node = part + 1;
  if (!is_list(part)) {
    add_unknown_part(f, name, part, scope);
    return;
  }
  for (uint32_t i = 0; i < part->count && !is_over(f); i++, node = cnk_node_next(node))
    if (is_object(node))
      add_unknown_part(f, name, node, scope);
}

/* The names of an object with the positions that they have. */
static struct cnk_webhook_ids *find_positions(const struct finder *f, const struct cnk_node *object)
{
  const struct cnk_node *name = object + 1;
  struct cnk_webhook_ids *positions = cnk_webhook_new_ids(f->it, object->count);
  if (!positions)
    return NULL;
  for (uint32_t i = 0; i < object->count; i++, name = cnk_node_next_name(name))
    cnk_webhook_add_id(positions, cnk_webhook_text(f->it, name), i);
  cnk_webhook_sort_ids(positions);
  return positions;
}

/* What a value has beside the parts above, in the order of the text. Of equal names the last one counts. */
static void read_unknown_parts(const struct finder *f, const struct cnk_node *value)
{
  const struct cnk_node *name = value + 1;
  const struct cnk_webhook_scope *scope = cnk_webhook_new_scope(f->it, value, false);
  const struct cnk_webhook_ids *positions = find_positions(f, value);
  for (uint32_t i = 0; i < value->count && !is_over(f); i++, name = cnk_node_next_name(name)) {
    const struct cnk_node *part = cnk_node_value(name);
    int known = find_part(name);
    bool is_item = known < PARTS ? !is_list(part) && !parts[known].is_always : is_list(part) && !is_no_part(name);
    if (is_item && !cnk_node_is(part, CNK_NODE_NULL) && positions &&
        cnk_webhook_last_of(positions, cnk_webhook_text(f->it, name), i) == i)
      read_unknown_part(f, name, scope);
  }
}

/* ---- values and envelopes -------------------------------------------------------------------------------------------------- */

/* Whether items of the field "history" are old messages: files of it come in the lists of messages and of echoes. */
static bool is_old_message(enum cnk_webhook_kind kind)
{
  return kind == CNK_WEBHOOK_MESSAGE || kind == CNK_WEBHOOK_ECHO;
}

static struct cnk_webhook_scope *new_scope(const struct finder *f, const struct cnk_node *value,
                                           const struct contents *found)
{
  struct cnk_webhook_scope *scope = cnk_webhook_new_scope(f->it, value, true);
  for (int i = 0; i < PARTS && scope; i++)
    if (found->parts[i] && is_list(cnk_node_value(found->parts[i])))
      scope->items += cnk_node_value(found->parts[i])->count;
  return scope;
}

/* Meta's `value`, which Cunnekt sends as the whole body. A part that is no list is an item itself. */
static void read_value(const struct finder *f, const struct cnk_node *value, const struct contents *found,
                       bool is_history)
{
  size_t before = f->it->count;
  struct cnk_webhook_scope *scope = NULL;
  for (int i = 0; i < PARTS && !is_over(f); i++) {
    const struct cnk_node *part = found->parts[i] ? cnk_node_value(found->parts[i]) : NULL;
    bool is_old = is_history && is_old_message(parts[i].kind);
    if (part && !is_list(part)) {
      add_unknown_part(f, found->parts[i], part, cnk_webhook_new_scope(f->it, value, false));
    } else if (part && part->count > 0) {
      scope = scope ? scope : new_scope(f, value, found);
      read_part(f, part, is_old ? CNK_WEBHOOK_HISTORY : parts[i].kind, is_old, scope);
    }
  }
  if (found->has_more && f->it->count > before)
    read_unknown_parts(f, value);
}

static void read_body(struct finder *f, const struct cnk_node *body);

static void read_list(struct finder *f, const struct cnk_node *list)
{
  if (!is_list(list))
    return;
  const struct cnk_node *node = list + 1;
  for (uint32_t i = 0; i < list->count && !is_over(f); i++, node = cnk_node_next(node))
    read_body(f, node);
}

/* The changes of an entry. */
static void read_changes(struct finder *f, const struct cnk_node *entry, const struct cnk_node *changes)
{
  struct cnk_webhook_entry outer = f->entry;
  if (!is_list(changes))
    return;
  f->entry = (struct cnk_webhook_entry){cnk_node_field(entry, "id"), cnk_node_field(entry, "time")};
  read_list(f, changes);
  f->entry = outer;
}

static bool is_account(const struct cnk_node *field)
{
  const char *const *type = cnk_webhook_account_types;
  while (*type && !cnk_node_says(field, *type))
    type++;
  return *type;
}

/* The part of a change, or of a body, that is an object named "value". */
static void read_change(const struct finder *f, const struct cnk_node *change, const struct cnk_node *value)
{
  if (!is_object(value))
    return;
  const struct cnk_node *field = cnk_node_field(change, "field");
  if (is_account(field)) {
    const struct cnk_webhook_scope *scope = cnk_webhook_new_scope(f->it, value, false);
    add(f, (struct cnk_webhook_item){.facts.kind = CNK_WEBHOOK_ACCOUNT, .node = change, .scope = scope});
  } else {
    struct contents found = find_contents(value);
    read_value(f, value, &found, cnk_node_says(field, "history"));
  }
}

/* A body, or an entry or a change of an envelope: each is looked at alike, so that any of them, sent by itself, is
 * understood as well. One that gives nothing is an unknown item. */
static void read_body(struct finder *f, const struct cnk_node *body)
{
  size_t before = f->it->count;
  if (is_object(body)) {
    struct contents found = find_contents(body);
    read_list(f, found.entry);
    read_changes(f, body, found.changes);
    read_change(f, body, found.value);
    read_value(f, body, &found, false);
  }
  if (f->it->count == before && !is_over(f))
    add_unknown(f, body);
}

void cnk_webhook_find(struct cnk_webhook *it, const struct cnk_node *body)
{
  struct finder f = {.it = it};
  read_body(&f, body);
}
