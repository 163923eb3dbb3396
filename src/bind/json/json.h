/* SPDX-License-Identifier: MIT */
/* What C code that reads JSON for Lua must know. */
#ifndef CNK_BIND_JSON_H
#define CNK_BIND_JSON_H

#include "bind/bind.h"
#include "json/scan.h"

/* The name of the metatable that marks lists: json.array gives it to its table, json.decode to empty ones. */
#define CNK_JSON_ARRAY "cunnekt.json.array"

/* Pushes what is wrong with a text, after a scan that gave false; gives the error's kind. */
const char *cnk_json_push_fault(lua_State *L, const struct cnk_jsonscan *scan);

/* Pushes a userdata that is an empty struct cnk_buffer: for a function that makes a text, and keeps the room for the next one. */
void cnk_json_push_buffer(lua_State *L);

#endif
