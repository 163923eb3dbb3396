/* SPDX-License-Identifier: MIT */
/*
 * The standard library of the host: as Lua's own, but for what would let a script escape its budget (docs/reference/turns.md,
 * "Budget"). Coroutines keep the meter's account of which one runs; error handlers do not run for a stop; and what
 * breaks the hold is refused to scripts, some of it everywhere, most of it only in a turn.
 */
#ifndef CNK_HOLD_H
#define CNK_HOLD_H

#include <lua.h>
#include <stdbool.h>

/* Replaces functions in the libraries that are open. Before any Lua file is loaded. */
void cnk_hold_open(lua_State *L);

/* Whether a chunk is one of the host's own files. */
bool cnk_hold_is_own(const char *source);

/* The innermost Lua function from `level` on; false: there is none. Fills in what lua_getinfo gives for "Sl". */
bool cnk_hold_find_lua(lua_State *L, int level, lua_Debug *found);

/* Where the script is: its innermost function, as "bot.lua:12"; "" when there is none. Allocates nothing. */
void cnk_hold_where(lua_State *L, char *where, size_t size);

#endif
