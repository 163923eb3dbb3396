/* SPDX-License-Identifier: MIT */
/*
 * Keyed FIFO queues: the items of a lane run one at a time, in order; lanes run concurrently, up to a maximum, and take turns.
 * Inbox and outbox use a lane per contact. Lanes in the background (bulk messages) let the others pass, but for a least share.
 * A gate may hold items back, one lane or all of them. Nothing here is stored: the owner of an item does that.
 *
 * An item is a member of the owner's object, which must stay while it is in a lane: from push until cnk_lanes_done without a
 * pause. A lane is there while it has items, and is known by its key alone.
 *
 * The owner's functions get the `context` of the call that they come from. They must return: no longjmp. All but `gate` and
 * an order may call anything here, and even end what they are given before they return. A call that fails for lack of memory
 * has changed nothing.
 */
#ifndef CNK_LANES_H
#define CNK_LANES_H

#include "base/loop.h"
#include "engine/table.h"

struct cnk_lane;
struct cnk_lanes;

struct cnk_lane_item {
  struct cnk_link link;
  struct cnk_lane *lane; /* while it is in one */
};

struct cnk_lanes_owner {
  /* Starts an item; cnk_lanes_done must follow. */
  void (*run)(struct cnk_lanes *lanes, struct cnk_lane_item *item, void *context);
  /* Asked before an item starts, which may only look at it: the seconds for which it must wait, and whether all others must as
   * well; less than 0: it may start. NULL: each may. */
  double (*gate)(struct cnk_lanes *lanes, struct cnk_lane_item *item, bool *is_for_all, void *context);
  /* A timer has fired, in cnk_loop_step or cnk_clock_advance, and this is their context: calls cnk_lanes_go, with it or
   * another. */
  void (*wake)(struct cnk_lanes *lanes, void *context);
  /* The owner has more for a lane (cnk_lanes_set_more), which is empty. cnk_lanes_filled must follow, at any time. NULL for an
   * owner that never has. */
  void (*fill)(struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial, bool is_background, void *context);
  /* Each may be NULL: an item has left its lane; none is running any more; there is none any more. */
  void (*on_advance)(struct cnk_lanes *lanes, void *context);
  void (*on_quiet)(struct cnk_lanes *lanes, void *context);
  void (*on_empty)(struct cnk_lanes *lanes, void *context);
};

struct cnk_lanes_pause {
  struct cnk_timer timer;
  bool is_counted; /* among the loop's timers */
};

/* All but `owner` is to be read at most. It must stay where it was initialised. */
struct cnk_lanes {
  struct cnk_lanes_owner owner;
  size_t items, background_items; /* waiting or running; those of them in background lanes */
  size_t active, active_background;
  size_t concurrency, most_background;
  struct cnk_loop *loop;
  struct cnk_table table;                  /* of the lanes */
  struct cnk_list ready, ready_background; /* lanes whose head may start */
  struct cnk_list unfilled;                /* empty lanes of which the owner has more */
  struct cnk_lanes_pause gate_pause;
  struct cnk_done woken;
  uint64_t serials;
  unsigned since_background;
  bool is_going, is_stopped;
};

void cnk_lanes_init(struct cnk_lanes *lanes, struct cnk_loop *loop, size_t concurrency,
                    const struct cnk_lanes_owner *owner);

/* Ends all lanes without a call; the items are their owner's again. */
void cnk_lanes_deinit(struct cnk_lanes *lanes);

/* Starts what may start; the calls below do so themselves. */
void cnk_lanes_go(struct cnk_lanes *lanes, void *context);

/* Starts no more items; running ones may finish. */
void cnk_lanes_stop(struct cnk_lanes *lanes);

/* ---- items ------------------------------------------------------------------------------------------------------- */

/* Adds an item at the end of its lane; a new lane is in the background, or not. False when there is no memory for a lane. */
bool cnk_lanes_push(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, bool is_background,
                    void *context);

/* The same, ahead of all others of its lane but the running one; one that waits for a retry comes after it. */
bool cnk_lanes_push_front(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, bool is_background,
                          void *context);

/* The same, to a lane that starts after a pause in seconds, if it is new. */
bool cnk_lanes_push_later(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, double pause,
                          void *context);

/* Reserves a free lane for an item that may come soon, and a slot to start it at once, where nobody waits for one. What is
 * added to the lane meanwhile comes after that item. False: not reserved; otherwise cnk_lanes_start_reserved, which runs the
 * item at once, or cnk_lanes_release must follow. These are false, and do nothing, for a lane that is not reserved. */
bool cnk_lanes_reserve(struct cnk_lanes *lanes, struct cnk_text key, bool is_background);
bool cnk_lanes_start_reserved(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, void *context);
bool cnk_lanes_release(struct cnk_lanes *lanes, struct cnk_text key, void *context);

/* A running item has ended, and is out of its lane before anything else happens; or, after a pause in seconds that is not
 * NAN, it is run again, still at the head of its lane. */
void cnk_lanes_done(struct cnk_lanes *lanes, struct cnk_lane_item *item, double pause, void *context);

/* Takes an item out that waits behind the head of its lane. */
void cnk_lanes_take(struct cnk_lanes *lanes, struct cnk_lane_item *item);

/* Starts the head of a lane now, if it waits for a retry. */
void cnk_lanes_retry_now(struct cnk_lanes *lanes, struct cnk_text key, void *context);

/* ---- what there is ----------------------------------------------------------------------------------------------- */

/* The item of a lane that is running or next, and the last one; NULL when there is none. */
struct cnk_lane_item *cnk_lanes_head(const struct cnk_lanes *lanes, struct cnk_text key);
struct cnk_lane_item *cnk_lanes_last(const struct cnk_lanes *lanes, struct cnk_text key);

/* The item behind another one; NULL at the end of the lane, and for one that is in none. */
struct cnk_lane_item *cnk_lanes_next(const struct cnk_lane_item *item);

bool cnk_lanes_is_running(const struct cnk_lane_item *item);

/* The running item of a lane after that of another one, the first after NULL. In no order; nothing may change meanwhile. */
struct cnk_lane_item *cnk_lanes_next_running(const struct cnk_lanes *lanes, const struct cnk_lane_item *item);

/* ---- owners that hold more than a lane does ---------------------------------------------------------------------- */

/* Whether there is a lane; the number of its items, and whether the owner has more. */
bool cnk_lanes_look(const struct cnk_lanes *lanes, struct cnk_text key, size_t *count, bool *has_more);

/* Notes that the owner has more for a lane, or no more. False when there is no such lane, or that was known. */
bool cnk_lanes_set_more(struct cnk_lanes *lanes, struct cnk_text key, bool has_more);

/* Makes a lane without items, not in the background, and has it filled. False when it is there already, or there is no
 * memory. */
bool cnk_lanes_open_empty(struct cnk_lanes *lanes, struct cnk_text key, void *context);

/* Whether the lane that `fill` was called for still waits for it: it may have become part of another one. */
bool cnk_lanes_is_unfilled(const struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial);

/* Lets such a lane go on with the items that were pushed since; without any it ends. */
void cnk_lanes_filled(struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial, void *context);

/* ---- two lanes that become one ----------------------------------------------------------------------------------- */

struct cnk_lanes_join {
  /* Whether `a` must run before `b`; only looks at them. */
  bool (*comes_before)(const struct cnk_lane_item *a, const struct cnk_lane_item *b, void *context);
  /* Called for each item of `from`, before they are put in order. */
  void (*on_move)(struct cnk_lane_item *item, void *context);
};

/* Makes the waiting items of `from` those of `to`, both in the background or not, in order. What is under way in either comes
 * before all of them. False when there is no memory for a lane. */
bool cnk_lanes_join(struct cnk_lanes *lanes, struct cnk_text from, struct cnk_text to, const struct cnk_lanes_join *how,
                    void *context);

#endif
