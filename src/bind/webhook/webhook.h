/* SPDX-License-Identifier: MIT */
/*
 * The Lua face of webhook/webhook.h: a body's items as the tables of events. What an item says whatever its content is has been
 * read already; event.c puts that into a table, and with message.c adds the content. `event` is the position of the table that
 * is being built on the Lua stack; functions leave the stack as it was, unless their name says push.
 */
#ifndef CNK_BIND_WEBHOOK_H
#define CNK_BIND_WEBHOOK_H

#include "bind/json/node.h"
#include "webhook/webhook.h"

/* A body that is read: its nodes, and the items in it. */
struct cnk_bind_webhook {
  struct cnk_tree tree;
  struct cnk_webhook found;
};

/* Once in a state. */
void cnk_bind_add_webhook_class(lua_State *L);

/* Pushes one for the function that runs, which keeps it as its upvalue of that number; see cnk_bind_take_tree. */
struct cnk_bind_webhook *cnk_bind_take_webhook(lua_State *L, int upvalue);
/* Gives it back; it is at `index`. */
void cnk_bind_keep_webhook(lua_State *L, int index, int upvalue);

/* Reads the body, a string at `index`. A bound is for bodies from outside. False, and pushes a kind of errors and a message,
 * when it is of no use. Raises when memory is out. */
bool cnk_bind_read_webhook(lua_State *L, int index, bool is_bounded, struct cnk_bind_webhook *webhook);

/* Makes the tables of events. */
struct cnk_event_maker {
  lua_State *L;
  int shared; /* a table of what several events have in common, by its address here: it is made once, however large it is; or 0 */
  int body; /* the text, which the event gets in place of its raw item; or 0 */
};

/* Pushes the event of an item. */
void cnk_event_push(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item);

/* message.c: sets what is in a message or an echo. */
void cnk_event_set_message(const struct cnk_event_maker *maker, const struct cnk_webhook_item *item, int event);

/* Reads the facts that an event's table has; its kind is set, or CNK_WEBHOOK_UNKNOWN for others. The texts are the table's. */
struct cnk_webhook_facts cnk_event_read_facts(lua_State *L, int event);

/* Pushes the safe name for three strings; what is no string counts as absent. */
void cnk_webhook_push_filename(lua_State *L, int name, int mime_type, int id);

/* accept.c */
int cnk_bind_accept_webhook(lua_State *L);

#endif
