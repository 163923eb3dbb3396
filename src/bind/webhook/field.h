/* SPDX-License-Identifier: MIT */
/*
 * Fields of decoded JSON, copied into tables for scripts: only what has the expected type, and never null. Indices are
 * absolute positions on the Lua stack; `at` and `from` are tables that json.decode made, `to` is the table that is
 * being built. Functions leave the stack as it was, unless their name says push.
 */
#ifndef CNK_BIND_WEBHOOK_FIELD_H
#define CNK_BIND_WEBHOOK_FIELD_H

#include "bind/bind.h"

/* JSON's two kinds of table. An empty list carries the metatable of json.array; no other decoded table has one. */
bool cnk_field_is_list(lua_State *L, int at);
bool cnk_field_is_object(lua_State *L, int at);

void cnk_field_set_text(lua_State *L, int to, const char *name, const char *text);

/* Pushes field `name` as a string, or nil and gives false: ids are strings, but some senders write numbers. */
bool cnk_field_push_id(lua_State *L, int at, const char *name);

/* Copies field `name`; each gives whether it was there and good. */
bool cnk_field_copy_id(lua_State *L, int from, const char *name, int to, const char *as);
bool cnk_field_copy_plain(lua_State *L, int from, const char *name, int to, int type);

/* A time as an integer of Unix seconds, set as "timestamp": from digits or a number, of seconds or a finer unit. */
void cnk_field_copy_time(lua_State *L, int from, const char *name, int to);

/* Pushes the table at `at`: itself when it holds no null, else a copy without them. */
void cnk_field_push_table(lua_State *L, int at);

#endif
