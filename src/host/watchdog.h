/* SPDX-License-Identifier: MIT */
/*
 * A thread that watches over the budgets. Some fifty times a second it charges the CPU that the loop thread has used to
 * the turn that runs, so a turn is measured without a system call of its own, to within a few hundredths of a second.
 * A turn that has used up its budget is stopped (stop.h). One that goes on, in a C function that never returns, is
 * noted in a file that is on the disk before anything else happens; then the program starts anew in place: the same
 * process, arguments and environment. The service reads the note at its start (lua/cunnekt/engine/budget.lua).
 *
 * The thread sleeps while nobody is charged.
 */
#ifndef CNK_WATCHDOG_H
#define CNK_WATCHDOG_H

struct cnk_meter;

/* Prepares; the thread begins with the first budget. Borrows argv. A script that comes from standard input cannot be
 * read again: then the program ends with 1 instead of starting anew. */
void cnk_watchdog_init(struct cnk_meter *meter, int argc, char **argv);

#endif
