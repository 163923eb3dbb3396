/* SPDX-License-Identifier: MIT */
/*
 * Between parse.c, which finds the items of a body, and those that make an event of each: message.c, event.c; scope.c has
 * what the items of one value share. Indices are absolute positions on the Lua stack, of values that json.decode made;
 * every function leaves the stack as it was, unless its name says push.
 */
#ifndef CNK_BIND_WEBHOOK_H
#define CNK_BIND_WEBHOOK_H

#include "bind/bind.h"

struct cnk_webhook {
  lua_State *L;
  int decode, accounts, events; /* json.decode, the set of account fields, and the list that events are added to */
  int entry;                    /* of Meta's envelope, or 0 */
  lua_Integer count;            /* of events */
  lua_Integer most_events;
  size_t form_values; /* that the answers of forms may still have; 0: no bound, or none are left */
  bool has_form_bound;
  bool is_too_much; /* a bound is broken: the events are of no use */
};

/* What the items of one `value` have in common; each is an index, or 0. */
struct cnk_webhook_scope {
  int phone, display; /* of the metadata; nil when absent */
  int contact;        /* the only contact */
  int contacts;       /* several: a table of them by wa_id and user_id */
};

/* Each pushes what the scope's indices refer to, the business number and then the contacts: the caller takes it off when the
 * scope ends. The contacts are changed in place, so a value that becomes a `raw` may not be given for them. */
void cnk_webhook_open_scope(struct cnk_webhook *w, int value, struct cnk_webhook_scope *scope);
void cnk_webhook_open_contacts(struct cnk_webhook *w, int value, struct cnk_webhook_scope *scope);

/* Pushes the table of a new event of this kind; its index. */
int cnk_webhook_push_event(struct cnk_webhook *w, const char *kind, int size);

/* Sets the business number, and the contact that belongs to the event by the ids that it has; a sender's also completes them. */
void cnk_webhook_set_scope(struct cnk_webhook *w, int event, const struct cnk_webhook_scope *scope, bool is_sender);

/* Adds the event on top of the stack, with its raw item, and takes it off. */
void cnk_webhook_add_event(struct cnk_webhook *w, int item);

/* Each adds one event of an item of the list of that name. `item` is an object, except for an unknown event. */
typedef void cnk_webhook_add_fn(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope);
cnk_webhook_add_fn cnk_webhook_add_message, cnk_webhook_add_echo, cnk_webhook_add_status, cnk_webhook_add_call,
    cnk_webhook_add_preference, cnk_webhook_add_user_id_update, cnk_webhook_add_group, cnk_webhook_add_automatic_event,
    cnk_webhook_add_history, cnk_webhook_add_old_message, cnk_webhook_add_state_sync, cnk_webhook_add_error;
void cnk_webhook_add_account(struct cnk_webhook *w, int change);
void cnk_webhook_add_unknown(struct cnk_webhook *w, int item);

/* Pushes the safe name for three strings; what is no string counts as absent. */
void cnk_webhook_push_filename(lua_State *L, int name, int mime_type, int id);

#endif
