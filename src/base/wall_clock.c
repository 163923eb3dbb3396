/* SPDX-License-Identifier: MIT */
/* The real time despite clocks that are set; see wall_clock.h. */
#include "base/wall_clock.h"

#include <math.h>

/* Seconds by which the provider's clock and ours may differ, transport included. */
#define CLOSE_ENOUGH 300.0
/* Seconds by which a clock may be set back unnoticed: time servers move it by less. */
#define SLACK 1.0
/* Seconds: a program may receive nothing for so long, and its old rows are still deleted in time. */
#define LONGEST_SILENCE 86400.0

void cnk_wall_clock_init(struct cnk_wall_clock *it, const struct cnk_clock *clock)
{
  *it = (struct cnk_wall_clock){.wall = cnk_clock_wall(clock), .steady = cnk_clock_monotonic(clock)};
}

double cnk_wall_clock_now(struct cnk_wall_clock *it, const struct cnk_clock *clock)
{
  double wall = cnk_clock_wall(clock), steady = cnk_clock_monotonic(clock);
  double jump = wall - it->wall - (steady - it->steady);
  if (jump < -SLACK)
    it->behind -= jump;
  else if (jump > SLACK)
    it->behind = fmax(0, it->behind - jump);
  it->wall = wall;
  it->steady = steady;
  return wall + it->behind;
}

void cnk_wall_clock_witness(struct cnk_wall_clock *it, const struct cnk_clock *clock, double timestamp)
{
  cnk_wall_clock_now(it, clock);
  if (fabs(it->wall - timestamp) < CLOSE_ENOUGH)
    it->behind = 0;
  if (!it->has_newest || timestamp > it->newest)
    it->newest = timestamp;
  it->has_newest = true;
}

bool cnk_wall_clock_certain(const struct cnk_wall_clock *it, const struct cnk_clock *clock, double *out)
{
  if (!it->has_newest)
    return false;
  *out = fmin(cnk_clock_wall(clock), it->newest + LONGEST_SILENCE);
  return true;
}
