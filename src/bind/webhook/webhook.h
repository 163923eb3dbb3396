/* SPDX-License-Identifier: MIT */
/*
 * Between parse.c, which finds the items of a body, and event.c, which makes an event of each. Indices are
 * absolute positions on the Lua stack, of values that json.decode made; every function leaves the stack as it was,
 * unless its name says push.
 */
#ifndef CNK_BIND_WEBHOOK_H
#define CNK_BIND_WEBHOOK_H

#include "bind/bind.h"

struct cnk_webhook {
  lua_State *L;
  int decode, events; /* json.decode, and the list that events are added to */
  lua_Integer count;  /* of events */
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

/* Pushes what the scope's indices refer to: the caller takes it off when the scope ends. */
void cnk_webhook_open_scope(struct cnk_webhook *w, int value, struct cnk_webhook_scope *scope);

/* Each adds one event. `item` is an object, except for an unknown event. */
void cnk_webhook_add_message(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope);
void cnk_webhook_add_status(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope);
void cnk_webhook_add_error(struct cnk_webhook *w, int item, const struct cnk_webhook_scope *scope);
void cnk_webhook_add_unknown(struct cnk_webhook *w, int item);

/* Pushes the safe name for three strings; what is no string counts as absent. */
void cnk_webhook_push_filename(lua_State *L, int name, int mime_type, int id);

#endif
