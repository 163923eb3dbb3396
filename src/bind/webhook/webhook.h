/* SPDX-License-Identifier: MIT */
/*
 * Between parse.c, which finds the items of a body, and those that make an event of each: message.c, event.c; scope.c has
 * what the items of one value share. The body is read as nodes (json/tree.h); the tables of events are at absolute positions on
 * the Lua stack. Every function leaves the stack as it was, unless its name says push.
 */
#ifndef CNK_BIND_WEBHOOK_H
#define CNK_BIND_WEBHOOK_H

#include "bind/json/node.h"

/* What Meta's envelope says of its changes; or NULL. It is found once, not for each of them: an entry may have many members. */
struct cnk_webhook_entry {
  const struct cnk_node *id, *time;
};

struct cnk_webhook {
  lua_State *L;
  int accounts, events; /* the set of account fields, and the list that events are added to */
  int body;             /* the text, which the only event of a body gets in place of its raw item; or 0 */
  struct cnk_webhook_entry entry;
  lua_Integer count; /* of events */
  lua_Integer most_events;
  size_t form_values; /* that the answers of forms may still have; 0: no bound, or none are left */
  bool has_form_bound;
  bool is_too_much;   /* a bound is broken: the events are of no use */
  bool is_one_of_two; /* there is more than the only event of a body: they are of no use without their raw items */
};

/* Whether there is no use in more events. */
static inline bool cnk_webhook_is_over(const struct cnk_webhook *w)
{
  return w->is_too_much || w->is_one_of_two;
}

/* What the items of one `value` have in common; each is an index, or 0. */
struct cnk_webhook_scope {
  int phone, display; /* of the metadata; nil when absent */
  int contact;        /* the only contact */
  int contacts;       /* several: a table of them by wa_id and user_id */
  int metadata;       /* for the raw value of unknown parts: itself, or nil */
};

/* Each pushes what the scope's indices refer to, the business number and then the contacts: the caller takes it off when the
 * scope ends. What several events have in common is made once, however large it is. */
void cnk_webhook_open_scope(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope);
void cnk_webhook_open_contacts(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope);
void cnk_webhook_open_metadata(struct cnk_webhook *w, const struct cnk_node *value, struct cnk_webhook_scope *scope);

/* Pushes the table of a new event of this kind; its index. */
int cnk_webhook_push_event(struct cnk_webhook *w, const char *kind, int size);

/* Sets the business number, and the contact that belongs to the event by the ids that it has; a sender's also completes them. */
void cnk_webhook_set_scope(struct cnk_webhook *w, int event, const struct cnk_webhook_scope *scope, bool is_sender);

/* Adds the event on top of the stack, with its raw item, and takes it off. */
void cnk_webhook_add_event(struct cnk_webhook *w, const struct cnk_node *item);

/* The same for an event whose raw value is above it; that does not matter where `body` is not 0. Takes both off. */
void cnk_webhook_add_event_with(struct cnk_webhook *w);

/* Each adds one event of an item of the list of that name. `item` is an object, except for an unknown event. */
typedef void cnk_webhook_add_fn(struct cnk_webhook *w, const struct cnk_node *item,
                                const struct cnk_webhook_scope *scope);
cnk_webhook_add_fn cnk_webhook_add_message, cnk_webhook_add_echo, cnk_webhook_add_status, cnk_webhook_add_call,
    cnk_webhook_add_preference, cnk_webhook_add_user_id_update, cnk_webhook_add_group, cnk_webhook_add_automatic_event,
    cnk_webhook_add_history, cnk_webhook_add_old_message, cnk_webhook_add_state_sync, cnk_webhook_add_error;
void cnk_webhook_add_account(struct cnk_webhook *w, const struct cnk_node *change);
void cnk_webhook_add_unknown(struct cnk_webhook *w, const struct cnk_node *item);

/* Adds an unknown event of a part of a value: of the member of this name, or of one item in it, which is a list then. Its raw
 * value is an object with the part under its name, in a list if it is an item, and the scope's metadata beside it. */
void cnk_webhook_add_unknown_part(struct cnk_webhook *w, const struct cnk_node *name, const struct cnk_node *item,
                                  const struct cnk_webhook_scope *scope);

/* Pushes the safe name for three strings; what is no string counts as absent. */
void cnk_webhook_push_filename(lua_State *L, int name, int mime_type, int id);

#endif
