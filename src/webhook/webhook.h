/* SPDX-License-Identifier: MIT */
/*
 * What a webhook's body holds: its items, each of which is one event, and what an item says of persons, places in order and
 * repetition. From here the way goes to the store (event.h), and to the tables of scripts (bind/webhook), which add the rest of
 * an item to the same facts: so both tell the same of a body.
 *
 * Whatever the body is, every item gives one event: what has not the expected shape is of the kind "unknown" and holds
 * it. Such an item, as a body by itself, gives that one event again; this is what webhook.wrap lives on.
 *
 * Nodes and texts point into the body, its tree and the arena, and are valid as long as those are.
 */
#ifndef CNK_WEBHOOK_H
#define CNK_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "store/arena.h"
#include "json/tree.h"

/* What a body from outside may hold, more than the provider sends: 1,000 events of some 25 values each, or a history of thousands of
 * short messages, of which 3 MB have 160,000 values. 3 MB can hold 1.4 million values or a million events as well, which took half a
 * gigabyte and two seconds. */
#define CNK_WEBHOOK_MOST_VALUES ((size_t)200000) /* in the body, and again in the answers of all its forms */
#define CNK_WEBHOOK_MOST_EVENTS ((size_t)5000)
/* What the events of a body have in common, the business number and the contact, is stored with each of them. */
#define CNK_WEBHOOK_MOST_SHARED ((size_t)32 << 20) /* half of what a call of the store may hold */

enum cnk_webhook_kind {
  CNK_WEBHOOK_MESSAGE,
  CNK_WEBHOOK_ECHO,
  CNK_WEBHOOK_STATUS,
  CNK_WEBHOOK_PAYMENT,
  CNK_WEBHOOK_CALL,
  CNK_WEBHOOK_USER_PREFERENCES,
  CNK_WEBHOOK_USER_ID_UPDATE,
  CNK_WEBHOOK_GROUP,
  CNK_WEBHOOK_AUTOMATIC_EVENT,
  CNK_WEBHOOK_HISTORY,
  CNK_WEBHOOK_STATE_SYNC,
  CNK_WEBHOOK_ACCOUNT,
  CNK_WEBHOOK_ERROR,
  CNK_WEBHOOK_UNKNOWN,
  CNK_WEBHOOK_KINDS
};

/* Their names, as events have them. */
extern const char *const cnk_webhook_kinds[CNK_WEBHOOK_KINDS];

/* The fields of WhatsApp's webhooks that are about the account; ends with NULL. */
extern const char *const cnk_webhook_account_types[];

/* Types of messages with which a customer says nothing new; ends with NULL. */
extern const char *const cnk_webhook_remark_types[];

struct cnk_webhook_contact {
  const struct cnk_node *node;
  struct cnk_text wa_id, user_id, parent_user_id;
  struct cnk_text name, username; /* of its profile */
  uint32_t senders;               /* messages of the body that it belongs to */
};

/* What the items of one `value` have in common. */
struct cnk_webhook_scope {
  const struct cnk_node *metadata; /* NULL where there is none, or null */
  struct cnk_text phone_number_id, display_phone_number;
  struct cnk_webhook_contact *contacts;
  size_t contacts_count;
  bool has_only_contact;       /* it is everybody's whose ids do not contradict */
  size_t items;                /* of the value */
  struct cnk_webhook_ids *ids; /* of several contacts */
};

/* What Meta's envelope says of its changes; or NULL. It is found once, not for each of them: an entry may have many members. */
struct cnk_webhook_entry {
  const struct cnk_node *id, *time;
};

/* What a `system` message says of a change of ids; the new number is `wa_id`. */
struct cnk_webhook_change {
  bool is_there;
  struct cnk_text wa_id, customer, user_id, previous_user_id, parent_user_id, previous_parent_user_id;
};

/* The fields of an event that are known of it whatever its content is; the names are those of its table. */
struct cnk_webhook_facts {
  enum cnk_webhook_kind kind;
  struct cnk_text id, from, user_id, parent_user_id, group_id, recipient, recipient_user_id;
  struct cnk_text previous_user_id, previous_parent_user_id;
  struct cnk_text status, event, category, value, account_id;
  struct cnk_text phone_number_id, display_phone_number, name, username;
  int64_t timestamp; /* Unix seconds */
  bool has_timestamp;
  bool is_remark; /* a message with which a customer says nothing new */
  const struct cnk_webhook_contact *contact;
  bool is_contact_sure; /* it is surely the person's: cnk_webhook_settle_contact() has said so */
  bool is_system;
  struct cnk_webhook_change change;
};

struct cnk_webhook_item {
  struct cnk_webhook_facts facts;
  bool is_old;                 /* CNK_WEBHOOK_HISTORY: in the form of a message or an echo */
  const struct cnk_node *node; /* an object, unless it is unknown; of an account the whole change */
  const struct cnk_node
      *part; /* unknown: the name of the member of the value that it is, or that is a list with it; or NULL */
  const struct cnk_webhook_scope *scope;
  struct cnk_webhook_entry entry;
};

/* The items of a body. One of zeros is empty and valid. */
struct cnk_webhook {
  struct cnk_arena arena;
  struct cnk_webhook_item
      *items; /* entries and changes in the order of the body; in each the parts in the order of find.c */
  size_t count, room;
  size_t most_items;  /* 0: no bound */
  bool has_too_many;  /* more than that: the items are of no use */
  bool has_no_memory; /* nothing is of use */
};

/* Finds the items of a body. At least one, unless a flag says that they are of no use. */
void cnk_webhook_find(struct cnk_webhook *it, const struct cnk_node *body);

/* Empties it, and gives memory back beyond what the usual body needs; or all. */
void cnk_webhook_reset(struct cnk_webhook *it);
void cnk_webhook_free(struct cnk_webhook *it);

/* Whether what the items share would be more than CNK_WEBHOOK_MOST_SHARED, stored with each. */
bool cnk_webhook_shares_too_much(const struct cnk_webhook *it);

/* Whether the answers of all forms have more than CNK_WEBHOOK_MOST_VALUES values. */
bool cnk_webhook_has_large_forms(struct cnk_webhook *it);

/* Zeroed memory until the next reset; NULL, and notes it, when memory is out. */
void *cnk_webhook_take(struct cnk_webhook *it, size_t size);

/* ---- what an item says ---------------------------------------------------------------------------------------------- */

/* When a customer wrote to the business alone, or called it, which opens the service window: not with a remark on another message,
 * nor with what is written in a group. */
bool cnk_webhook_is_inbound(const struct cnk_webhook_facts *facts);

/* The bytes of the key by which an event is known when it comes again, of a kind that has ids; and the key itself, written to
 * room for so many. 0: it has no id, or is of a kind that is known by its content. */
size_t cnk_webhook_key_size(const struct cnk_webhook_facts *facts);
void cnk_webhook_write_key(const struct cnk_webhook_facts *facts, char *out);

/* Whether events of a kind are known by their content, because most of them have no id of their own. */
bool cnk_webhook_is_known_by_content(enum cnk_webhook_kind kind);

/* Who wrote, by number or user id, or who a status is about: the customer of the event's conversation. */
struct cnk_text cnk_webhook_customer(const struct cnk_webhook_facts *facts);

/* ---- fields without trust in them (field.c); a node that is NULL has no value ------------------------------------------ */

/* What a string stands for; none for other nodes. */
struct cnk_text cnk_webhook_text(struct cnk_webhook *it, const struct cnk_node *node);
/* A string that is not empty: ids are strings, but some senders write whole numbers. */
struct cnk_text cnk_webhook_id(struct cnk_webhook *it, const struct cnk_node *node);
/* Digits or a number of seconds or a finer unit, as Unix seconds. */
bool cnk_webhook_time(struct cnk_webhook *it, const struct cnk_node *node, int64_t *seconds);

/* ---- texts by their bytes (ids.c) -------------------------------------------------------------------------------------- */

/* Some texts, each with a number. */
struct cnk_webhook_ids;
struct cnk_webhook_ids *cnk_webhook_new_ids(struct cnk_webhook *it, size_t most);
/* Texts that are none are left out. */
void cnk_webhook_add_id(struct cnk_webhook_ids *ids, struct cnk_text text, size_t number);
/* After all have been added. */
void cnk_webhook_sort_ids(struct cnk_webhook_ids *ids);
/* The smallest number of a text, and the greatest; `otherwise` when there is none. */
size_t cnk_webhook_first_of(const struct cnk_webhook_ids *ids, struct cnk_text text, size_t otherwise);
size_t cnk_webhook_last_of(const struct cnk_webhook_ids *ids, struct cnk_text text, size_t otherwise);

/* ---- within this folder ------------------------------------------------------------------------------------------------ */

/* memory.c: makes room for more items; false, and notes it, when memory is out. */
bool cnk_webhook_grow(struct cnk_webhook *it);

/* facts.c: completes the facts of an item, of which the kind is set, from its nodes. */
void cnk_webhook_read_facts(struct cnk_webhook *it, struct cnk_webhook_item *item);

/* scope.c: the business number of a value, and its contacts. NULL when memory is out. */
struct cnk_webhook_scope *cnk_webhook_new_scope(struct cnk_webhook *it, const struct cnk_node *value,
                                                bool has_contacts);
/* The contact that belongs to an event by the ids that it has; or NULL. */
struct cnk_webhook_contact *cnk_webhook_contact_of(const struct cnk_webhook_scope *scope,
                                                   const struct cnk_webhook_facts *facts);

#endif
