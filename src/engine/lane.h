/* SPDX-License-Identifier: MIT */
/* A lane, for lanes.c and lanes_join.c. */
#ifndef CNK_LANE_H
#define CNK_LANE_H

#include "engine/lanes.h"

struct cnk_lane {
  struct cnk_table_node node;
  struct cnk_link link;  /* among those that are ready, or unfilled, or in no list */
  struct cnk_list items; /* the first is running, or next */
  size_t count;
  struct cnk_lanes *lanes;
  struct cnk_lanes_pause pause; /* before its head is tried again */
  uint64_t serial;              /* of this lane and no other; a new one when it becomes part of another lane */
  struct cnk_lane *heir;        /* which waits for the end of its head, for the lane is part of that one now */
  size_t held;                  /* for how many it waits itself */
  bool is_background;
  bool is_under_way; /* it has a slot */
  bool is_reserved;  /* so it is under way, without an item that runs */
  bool has_more;     /* the owner has */
  bool is_unfilled;  /* given to `fill` */
  bool is_put_off;   /* it was ready, or is new, but is held */
  char key[];
};

/* Whether its head is running. */
static inline bool cnk_lane_is_running(const struct cnk_lane *lane)
{
  return lane->is_under_way && !lane->is_reserved;
}

/* NULL when there is no memory. */
struct cnk_lane *cnk_lane_new(struct cnk_lanes *lanes, struct cnk_text key, bool is_background);

struct cnk_lane *cnk_lane_find(const struct cnk_lanes *lanes, struct cnk_text key);

/* Ends a lane; its items are in no lane then. */
void cnk_lane_drop(struct cnk_lane *lane);

/* Lets a lane go on that was put off, if nothing holds it any more. It may be gone then. */
void cnk_lane_go_on_if_free(struct cnk_lane *lane);

#endif
