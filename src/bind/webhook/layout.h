/* SPDX-License-Identifier: MIT */
/*
 * What the tables of an event may hold: a layout lists the fields whose types are documented. A field of another type is
 * converted where its meaning is certain (a number written as text), and left out where it is not; `raw` has the original.
 * Fields that no layout lists stay as they are, but for nulls. `from` and `to` are as in field.h.
 */
#ifndef CNK_BIND_WEBHOOK_LAYOUT_H
#define CNK_BIND_WEBHOOK_LAYOUT_H

#include "bind/json/node.h"

enum cnk_layout_kind {
  CNK_LAYOUT_TEXT,
  CNK_LAYOUT_WORD,   /* a text that is not empty */
  CNK_LAYOUT_ID,     /* a text that is not empty; some senders write numbers */
  CNK_LAYOUT_NUMBER, /* finite; some senders write its digits */
  CNK_LAYOUT_FLAG,
  CNK_LAYOUT_OBJECT,
  CNK_LAYOUT_OBJECTS /* a list; what is no object in it is left out */
};

/* An array of them ends with a NULL name. */
struct cnk_layout {
  const char *name;
  enum cnk_layout_kind kind;
  const struct cnk_layout *inner; /* of objects; NULL: any */
};

extern const struct cnk_layout cnk_layout_address[]; /* name, username and ids of a person */
extern const struct cnk_layout cnk_layout_any[];
extern const struct cnk_layout cnk_layout_call_permission[];
extern const struct cnk_layout cnk_layout_card[]; /* one of the contacts that a message shares */
extern const struct cnk_layout cnk_layout_context[];
extern const struct cnk_layout cnk_layout_conversation[];
extern const struct cnk_layout cnk_layout_edit[];
extern const struct cnk_layout cnk_layout_error[];
extern const struct cnk_layout cnk_layout_location[];
extern const struct cnk_layout cnk_layout_order[];
extern const struct cnk_layout cnk_layout_payment[];
extern const struct cnk_layout cnk_layout_pricing[];
extern const struct cnk_layout cnk_layout_reaction[];
extern const struct cnk_layout cnk_layout_referral[];
extern const struct cnk_layout cnk_layout_revoke[];
extern const struct cnk_layout cnk_layout_session[];
extern const struct cnk_layout cnk_layout_synced[]; /* a contact of the phone's address book */
extern const struct cnk_layout cnk_layout_system[];

/* Pushes a table of an object without nulls, in its layout, with room for so many fields more. */
void cnk_layout_push(lua_State *L, const struct cnk_node *object, const struct cnk_layout *layout, int more);

/* Copies field `name` of `from` to `to` when it is an object, or a list; gives whether it was. */
bool cnk_layout_copy(lua_State *L, const struct cnk_node *from, const char *name, int to,
                     const struct cnk_layout *layout);
bool cnk_layout_copy_list(lua_State *L, const struct cnk_node *from, const char *name, int to,
                          const struct cnk_layout *layout);

/* Copies field `name` when it has the kind, which is none of objects, or can be converted to it. */
bool cnk_layout_copy_value(lua_State *L, const struct cnk_node *from, const char *name, int to, const char *as,
                           enum cnk_layout_kind kind);

/* The field "errors": a list of objects that is not empty. */
bool cnk_layout_copy_errors(lua_State *L, const struct cnk_node *from, int to);

#endif
