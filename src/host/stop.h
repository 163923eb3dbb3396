/* SPDX-License-Identifier: MIT */
/*
 * Stops a turn that has used up its budget: a hook raises in the script, and again after each error that the script
 * catches, until the engine has the turn back. The engine's own Lua is never stopped in its midst. A hook is installed
 * when it is needed only, for an installed one doubles what Lua costs.
 */
#ifndef CNK_STOP_H
#define CNK_STOP_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

struct cnk_meter;

/* On the loop thread, before any script: the handler of CNK_STOP_SIGNAL, and the hook. */
void cnk_stop_init(struct cnk_meter *meter);

/* From another thread: asks the loop thread to stop an account, and where its script is. The handler runs between any
 * two instructions, and does nothing when the account is not charged any more. */
void cnk_stop_request(long long account);
void cnk_stop_locate(long long account);
/* Whether `cnk_stop_locate` was answered: meter->where is filled in then. */
bool cnk_stop_is_located(void);

/* The loop thread waits from now on, inside the handler, for the program to start anew. */
void cnk_stop_hold(void);

/* Whether the state may grow by `more` bytes. Refuses what leaves no reserve to the engine; beyond the budget it has
 * the hook collect garbage, and stop the turn if that is not enough. Only turns are held to their budget. */
bool cnk_stop_may_grow(struct cnk_meter *meter, size_t more);

/* Whether CRASH_BREAK names this way to break a stop: for the negative controls of spec/crash/runaway.lua, and never in a
 * build that is not theirs. */
bool cnk_stop_is_broken(const char *way);

#endif
