/* SPDX-License-Identifier: MIT */
/*
 * The real time, as well as a program can know it while the system's clock may be set. It compares the wall clock with
 * the steady one, which shows how much time has passed, and with the timestamps of the provider's events. It waits for
 * nothing and corrects no clock; it keeps a wrong clock from closing windows or deleting rows too early.
 *
 * A struct of zeros is not ready: call cnk_wall_clock_init first. It borrows the clock for each call only, so a virtual
 * one may take its place meanwhile.
 */
#ifndef CNK_WALL_CLOCK_H
#define CNK_WALL_CLOCK_H

#include "base/clock.h"

struct cnk_wall_clock {
  double wall, steady; /* when they were read last */
  double behind;       /* seconds by which the wall clock was set back since the time that counts */
  double newest;       /* of all timestamps that were witnessed */
  bool has_newest;
};

void cnk_wall_clock_init(struct cnk_wall_clock *it, const struct cnk_clock *clock);

/* The time by which service windows end. A clock that is set back does not reopen them: the old time continues until an
 * event arrives whose timestamp agrees with the new time. */
double cnk_wall_clock_now(struct cnk_wall_clock *it, const struct cnk_clock *clock);

/* Notes the time of an accepted event, by the provider's clock. */
void cnk_wall_clock_witness(struct cnk_wall_clock *it, const struct cnk_clock *clock, double timestamp);

/* A time that has certainly passed: not after the clock's, and at most a day after the newest event. Old rows are
 * deleted by it, which a clock that runs ahead must not cause too early. False before the first event. */
bool cnk_wall_clock_certain(const struct cnk_wall_clock *it, const struct cnk_clock *clock, double *out);

#endif
