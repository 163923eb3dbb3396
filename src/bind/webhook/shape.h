/* SPDX-License-Identifier: MIT */
/*
 * What the tables of an event may hold: a shape lists the fields whose types are documented. A field of another type is
 * converted where its meaning is certain (a number written as text), and left out where it is not; `raw` has the original.
 * Fields that no shape lists stay as they are. Indices are absolute positions on the Lua stack.
 */
#ifndef CNK_BIND_WEBHOOK_SHAPE_H
#define CNK_BIND_WEBHOOK_SHAPE_H

#include "bind/bind.h"

enum cnk_shape_kind {
  CNK_SHAPE_TEXT,
  CNK_SHAPE_WORD,   /* a text that is not empty */
  CNK_SHAPE_ID,     /* a text that is not empty; some senders write numbers */
  CNK_SHAPE_NUMBER, /* finite; some senders write its digits */
  CNK_SHAPE_FLAG,
  CNK_SHAPE_OBJECT,
  CNK_SHAPE_OBJECTS /* a list; what is no object in it is left out */
};

/* An array of them ends with a NULL name. */
struct cnk_shape {
  const char *name;
  enum cnk_shape_kind kind;
  const struct cnk_shape *inner; /* of objects; NULL: any */
};

extern const struct cnk_shape cnk_shape_address[]; /* name, username and ids of a person */
extern const struct cnk_shape cnk_shape_any[];
extern const struct cnk_shape cnk_shape_call_permission[];
extern const struct cnk_shape cnk_shape_card[]; /* one of the contacts that a message shares */
extern const struct cnk_shape cnk_shape_context[];
extern const struct cnk_shape cnk_shape_conversation[];
extern const struct cnk_shape cnk_shape_edit[];
extern const struct cnk_shape cnk_shape_error[];
extern const struct cnk_shape cnk_shape_location[];
extern const struct cnk_shape cnk_shape_order[];
extern const struct cnk_shape cnk_shape_payment[];
extern const struct cnk_shape cnk_shape_pricing[];
extern const struct cnk_shape cnk_shape_reaction[];
extern const struct cnk_shape cnk_shape_referral[];
extern const struct cnk_shape cnk_shape_revoke[];
extern const struct cnk_shape cnk_shape_session[];
extern const struct cnk_shape cnk_shape_synced[]; /* a contact of the phone's address book */
extern const struct cnk_shape cnk_shape_system[];

/* Pushes the table at `at` without nulls, in its shape; the table itself when there is nothing to change. */
void cnk_shape_push(lua_State *L, int at, const struct cnk_shape *shape);

/* The same for an object on top of the stack that holds no null: where a field has to change, a copy takes its place, since
 * `raw` may share it. Gives whether it is the same table. */
bool cnk_shape_fit(lua_State *L, const struct cnk_shape *shape);

/* Copies field `name` of `from` to `to` when it is an object, or a list; gives whether it was. */
bool cnk_shape_copy(lua_State *L, int from, const char *name, int to, const struct cnk_shape *shape);
bool cnk_shape_copy_list(lua_State *L, int from, const char *name, int to, const struct cnk_shape *shape);

/* Copies field `name` when it has the kind, which is none of objects, or can be converted to it. */
bool cnk_shape_copy_value(lua_State *L, int from, const char *name, int to, const char *as, enum cnk_shape_kind kind);

/* The field "errors": a list of objects that is not empty. */
bool cnk_shape_copy_errors(lua_State *L, int from, int to);

#endif
