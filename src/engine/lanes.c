/* SPDX-License-Identifier: MIT */
/* Lanes, and which of them is next; see lanes.h. */
#include "engine/lanes.h"

#include <math.h>
#include <stdlib.h>

#include "engine/lane.h"

/* When both wait, one start in so many is of a lane in the background; and so much of the running items may be. */
#define BACKGROUND_TURN 5
#define BACKGROUND_PART 0.75

/* ---- pauses ------------------------------------------------------------------------------------------------------ */

static void end_pause(struct cnk_lanes *lanes, struct cnk_lanes_pause *pause)
{
  cnk_timer_stop(&pause->timer);
  lanes->loop->counts.timers -= pause->is_counted;
  pause->is_counted = false;
}

static void begin_pause(struct cnk_lanes *lanes, struct cnk_lanes_pause *pause, cnk_timer_fire_fn *fire, double seconds)
{
  end_pause(lanes, pause);
  pause->timer.fire = fire;
  pause->timer.keeps_loop = true;
  cnk_timer_start(&pause->timer, lanes->loop->clock, seconds);
  pause->is_counted = !lanes->loop->clock->is_virtual;
  lanes->loop->counts.timers += pause->is_counted;
}

/* On the real clock we are inside libuv, and the loop wakes the owner afterwards. */
static void wake(struct cnk_lanes *lanes, void *context)
{
  if (context)
    lanes->owner.wake(lanes, context);
  else
    cnk_loop_finish(lanes->loop, &lanes->woken);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_lanes *lanes = CNK_OWNER(done, struct cnk_lanes, woken);
  lanes->owner.wake(lanes, context);
}

/* ---- one lane ---------------------------------------------------------------------------------------------------- */

static struct cnk_lane *lane_of(struct cnk_table_node *node)
{
  return node ? CNK_OWNER(node, struct cnk_lane, node) : NULL;
}

static struct cnk_lane_item *item_of(struct cnk_link *link)
{
  return link ? CNK_OWNER(link, struct cnk_lane_item, link) : NULL;
}

struct cnk_lane *cnk_lane_find(const struct cnk_lanes *lanes, struct cnk_text key)
{
  return lane_of(cnk_table_find(&lanes->table, key));
}

struct cnk_lane *cnk_lane_new(struct cnk_lanes *lanes, struct cnk_text key, bool is_background)
{
  struct cnk_lane *lane = malloc(sizeof *lane + key.size);
  if (!lane)
    return NULL;
  memset(lane, 0, sizeof *lane);
  if (key.size > 0)
    memcpy(lane->key, key.data, key.size);
  lane->node.key = (struct cnk_text){lane->key, key.size};
  cnk_list_init(&lane->items);
  lane->lanes = lanes;
  lane->serial = ++lanes->serials;
  lane->is_background = is_background;
  cnk_table_add(&lanes->table, &lane->node);
  return lane;
}

void cnk_lane_drop(struct cnk_lane *lane)
{
  cnk_table_remove(&lane->lanes->table, &lane->node);
  cnk_list_remove(&lane->link);
  end_pause(lane->lanes, &lane->pause);
  for (struct cnk_link *link; (link = cnk_list_take(&lane->items));)
    item_of(link)->lane = NULL;
  free(lane);
}

static void make_ready(struct cnk_lane *lane)
{
  struct cnk_lanes *lanes = lane->lanes;
  cnk_list_add(lane->is_background ? &lanes->ready_background : &lanes->ready, &lane->link);
}

/* A lane goes on with its next item. Without one it ends, unless its owner has more for it. The lane that it is part of now,
 * which waits for its end, goes on as well. */
static void go_on(struct cnk_lane *lane)
{
  struct cnk_lane *heir = lane->heir;
  if (heir) {
    lane->heir = NULL;
    heir->held--;
    cnk_lane_go_on_if_free(heir);
  }
  if (lane->count > 0)
    make_ready(lane);
  else if (lane->has_more)
    cnk_list_add(&lane->lanes->unfilled, &lane->link);
  else
    cnk_lane_drop(lane);
}

void cnk_lane_go_on_if_free(struct cnk_lane *lane)
{
  if (lane->held > 0 || !lane->is_put_off)
    return;
  lane->is_put_off = false;
  if (lane->count > 0)
    make_ready(lane); /* its head has not ended, so who waits for that goes on waiting */
  else
    go_on(lane);
}

static void lane_fires(struct cnk_timer *timer, void *context)
{
  struct cnk_lane *lane = CNK_OWNER(timer, struct cnk_lane, pause.timer);
  end_pause(lane->lanes, &lane->pause);
  make_ready(lane);
  wake(lane->lanes, context);
}

static void pause_lane(struct cnk_lane *lane, double seconds)
{
  if (!lane->lanes->is_stopped)
    begin_pause(lane->lanes, &lane->pause, lane_fires, seconds);
}

static void occupy_slot(struct cnk_lane *lane)
{
  lane->is_under_way = true;
  lane->lanes->active++;
  lane->lanes->active_background += lane->is_background;
}

static void free_slot(struct cnk_lane *lane)
{
  lane->is_under_way = false;
  lane->lanes->active--;
  lane->lanes->active_background -= lane->is_background;
}

/* Adds an item, before the one at `place`, or at the end. */
static void add(struct cnk_lane *lane, struct cnk_link *place, struct cnk_lane_item *item)
{
  cnk_link_insert_before(place, &item->link);
  item->lane = lane;
  lane->count++;
  lane->lanes->items++;
  lane->lanes->background_items += lane->is_background;
}

void cnk_lanes_take(struct cnk_lanes *lanes, struct cnk_lane_item *item)
{
  struct cnk_lane *lane = item->lane;
  cnk_list_remove(&item->link);
  item->lane = NULL;
  lane->count--;
  lanes->items--;
  lanes->background_items -= lane->is_background;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

void cnk_lanes_init(struct cnk_lanes *lanes, struct cnk_loop *loop, size_t concurrency,
                    const struct cnk_lanes_owner *owner)
{
  size_t most_background = (size_t)((double)concurrency * BACKGROUND_PART);
  *lanes = (struct cnk_lanes){
      .owner = *owner,
      .loop = loop,
      .concurrency = concurrency,
      .most_background = most_background > 0 ? most_background : 1,
      .woken = {.deliver = deliver},
  };
  cnk_table_init(&lanes->table);
  cnk_list_init(&lanes->ready);
  cnk_list_init(&lanes->ready_background);
  cnk_list_init(&lanes->unfilled);
}

void cnk_lanes_deinit(struct cnk_lanes *lanes)
{
  lanes->is_stopped = true;
  end_pause(lanes, &lanes->gate_pause);
  cnk_loop_forget(&lanes->woken);
  for (struct cnk_table_node *node; (node = cnk_table_next(&lanes->table, NULL));)
    cnk_lane_drop(lane_of(node));
  cnk_table_deinit(&lanes->table);
}

void cnk_lanes_stop(struct cnk_lanes *lanes)
{
  lanes->is_stopped = true;
  end_pause(lanes, &lanes->gate_pause);
  for (struct cnk_table_node *node = NULL; (node = cnk_table_next(&lanes->table, node));)
    end_pause(lanes, &lane_of(node)->pause);
}

static void gate_fires(struct cnk_timer *timer, void *context)
{
  struct cnk_lanes *lanes = CNK_OWNER(timer, struct cnk_lanes, gate_pause.timer);
  end_pause(lanes, &lanes->gate_pause);
  wake(lanes, context);
}

/* Where lanes in the background are ready, too: the queue from which the next lane starts; it may be empty. */
static struct cnk_list *next_queue(struct cnk_lanes *lanes)
{
  bool may_be_background = lanes->active_background < lanes->most_background;
  bool is_turn = lanes->since_background >= BACKGROUND_TURN - 1;
  if (!may_be_background || (!cnk_list_is_empty(&lanes->ready) && !is_turn)) {
    lanes->since_background++;
    return &lanes->ready;
  }
  lanes->since_background = 0;
  return &lanes->ready_background;
}

/* Starts a lane that is ready, or lets it wait as the gate says. False when all must wait. */
static bool start(struct cnk_lane *lane, void *context)
{
  struct cnk_lanes *lanes = lane->lanes;
  if (lane->held > 0) {
    cnk_list_remove(&lane->link);
    lane->is_put_off = true;
    return true;
  }
  struct cnk_lane_item *head = item_of(cnk_list_first(&lane->items));
  bool is_for_all = false;
  double pause = lanes->owner.gate ? lanes->owner.gate(lanes, head, &is_for_all, context) : -1;
  if (pause >= 0 && is_for_all) {
    begin_pause(lanes, &lanes->gate_pause, gate_fires, pause);
    return false;
  }
  cnk_list_remove(&lane->link);
  if (pause >= 0) {
    pause_lane(lane, pause);
    return true;
  }
  occupy_slot(lane);
  lanes->owner.run(lanes, head, context);
  return true;
}

static bool start_next(struct cnk_lanes *lanes, void *context)
{
  if (lanes->is_stopped || lanes->active >= lanes->concurrency || cnk_timer_is_running(&lanes->gate_pause.timer))
    return false;
  struct cnk_list *queue = cnk_list_is_empty(&lanes->ready_background) ? &lanes->ready : next_queue(lanes);
  struct cnk_link *first = cnk_list_first(queue);
  return first && start(CNK_OWNER(first, struct cnk_lane, link), context);
}

static bool fill_next(struct cnk_lanes *lanes, void *context)
{
  struct cnk_link *first = cnk_list_take(&lanes->unfilled);
  if (!first)
    return false;
  struct cnk_lane *lane = CNK_OWNER(first, struct cnk_lane, link);
  lane->is_unfilled = true;
  lanes->owner.fill(lanes, lane->node.key, lane->serial, lane->is_background, context);
  return true;
}

/* An item that ends at once comes here again: the outer loop starts the next one, so the stack does not grow. */
void cnk_lanes_go(struct cnk_lanes *lanes, void *context)
{
  if (lanes->is_going)
    return;
  lanes->is_going = true;
  while (fill_next(lanes, context) || start_next(lanes, context))
    ;
  lanes->is_going = false;
}

/* After something has ended. */
static void go_and_tell(struct cnk_lanes *lanes, void *context)
{
  cnk_lanes_go(lanes, context);
  if (lanes->owner.on_quiet && lanes->active == 0)
    lanes->owner.on_quiet(lanes, context);
  if (lanes->owner.on_empty && lanes->items == 0)
    lanes->owner.on_empty(lanes, context);
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

bool cnk_lanes_push(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, bool is_background,
                    void *context)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key), *new = NULL;
  if (!lane)
    lane = new = cnk_lane_new(lanes, key, is_background);
  if (!lane)
    return false;
  add(lane, &lane->items.ring, item);
  if (new)
    make_ready(new);
  cnk_lanes_go(lanes, context);
  return true;
}

bool cnk_lanes_push_front(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, bool is_background,
                          void *context)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key);
  if (!lane || lane->count == 0) /* what is reserved is for an item that comes first */
    return cnk_lanes_push(lanes, key, item, is_background, context);
  struct cnk_link *head = lane->items.ring.next;
  add(lane, lane->is_under_way ? head->next : head, item);
  cnk_lanes_retry_now(lanes, key, context);
  return true;
}

bool cnk_lanes_push_later(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, double pause,
                          void *context)
{
  if (cnk_lane_find(lanes, key))
    return cnk_lanes_push(lanes, key, item, false, context);
  struct cnk_lane *lane = cnk_lane_new(lanes, key, false);
  if (!lane)
    return false;
  add(lane, &lane->items.ring, item);
  pause_lane(lane, pause);
  return true;
}

bool cnk_lanes_reserve(struct cnk_lanes *lanes, struct cnk_text key, bool is_background)
{
  if (lanes->is_stopped || lanes->active >= lanes->concurrency || !cnk_list_is_empty(&lanes->ready))
    return false;
  if (is_background &&
      (!cnk_list_is_empty(&lanes->ready_background) || lanes->active_background >= lanes->most_background))
    return false;
  struct cnk_lane *lane = cnk_lane_find(lanes, key) ? NULL : cnk_lane_new(lanes, key, is_background);
  if (!lane)
    return false;
  lane->is_reserved = true;
  occupy_slot(lane);
  return true;
}

/* Ends a reservation, with its slot still taken; NULL when there is none. */
static struct cnk_lane *end_reservation(struct cnk_lanes *lanes, struct cnk_text key)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key);
  if (!lane || !lane->is_reserved)
    return NULL;
  lane->is_reserved = false;
  return lane;
}

bool cnk_lanes_start_reserved(struct cnk_lanes *lanes, struct cnk_text key, struct cnk_lane_item *item, void *context)
{
  struct cnk_lane *lane = end_reservation(lanes, key);
  if (!lane)
    return false;
  add(lane, lane->items.ring.next, item);
  lanes->owner.run(lanes, item, context);
  return true;
}

bool cnk_lanes_release(struct cnk_lanes *lanes, struct cnk_text key, void *context)
{
  struct cnk_lane *lane = end_reservation(lanes, key);
  if (!lane)
    return false;
  free_slot(lane);
  go_on(lane);
  go_and_tell(lanes, context);
  return true;
}

void cnk_lanes_done(struct cnk_lanes *lanes, struct cnk_lane_item *item, double pause, void *context)
{
  struct cnk_lane *lane = item->lane;
  free_slot(lane);
  if (isnan(pause)) {
    cnk_lanes_take(lanes, item);
    go_on(lane);
    if (lanes->owner.on_advance)
      lanes->owner.on_advance(lanes, context);
  } else {
    pause_lane(lane, pause);
  }
  go_and_tell(lanes, context);
}

void cnk_lanes_retry_now(struct cnk_lanes *lanes, struct cnk_text key, void *context)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key);
  if (!lane || !cnk_timer_is_running(&lane->pause.timer))
    return;
  end_pause(lanes, &lane->pause);
  make_ready(lane);
  cnk_lanes_go(lanes, context);
}

/* ---- what there is ----------------------------------------------------------------------------------------------- */

struct cnk_lane_item *cnk_lanes_head(const struct cnk_lanes *lanes, struct cnk_text key)
{
  const struct cnk_lane *lane = cnk_lane_find(lanes, key);
  return lane ? item_of(cnk_list_first(&lane->items)) : NULL;
}

struct cnk_lane_item *cnk_lanes_last(const struct cnk_lanes *lanes, struct cnk_text key)
{
  const struct cnk_lane *lane = cnk_lane_find(lanes, key);
  return lane ? item_of(cnk_list_last(&lane->items)) : NULL;
}

struct cnk_lane_item *cnk_lanes_next(const struct cnk_lane_item *item)
{
  bool is_last = !item->lane || item->link.next == &item->lane->items.ring;
  return is_last ? NULL : item_of(item->link.next);
}

bool cnk_lanes_is_running(const struct cnk_lane_item *item)
{
  return item->lane && cnk_lane_is_running(item->lane) && item->lane->items.ring.next == &item->link;
}

struct cnk_lane_item *cnk_lanes_next_running(const struct cnk_lanes *lanes, const struct cnk_lane_item *item)
{
  struct cnk_table_node *node = item ? &item->lane->node : NULL;
  while ((node = cnk_table_next(&lanes->table, node))) {
    struct cnk_lane *lane = lane_of(node);
    if (cnk_lane_is_running(lane))
      return item_of(cnk_list_first(&lane->items));
  }
  return NULL;
}

/* ---- owners that hold more than a lane does ---------------------------------------------------------------------- */

bool cnk_lanes_look(const struct cnk_lanes *lanes, struct cnk_text key, size_t *count, bool *has_more)
{
  const struct cnk_lane *lane = cnk_lane_find(lanes, key);
  *count = lane ? lane->count : 0;
  *has_more = lane && lane->has_more;
  return lane != NULL;
}

bool cnk_lanes_set_more(struct cnk_lanes *lanes, struct cnk_text key, bool has_more)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key);
  bool is_news = lane && lane->has_more != has_more;
  if (is_news)
    lane->has_more = has_more;
  return is_news;
}

bool cnk_lanes_open_empty(struct cnk_lanes *lanes, struct cnk_text key, void *context)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, key) ? NULL : cnk_lane_new(lanes, key, false);
  if (!lane)
    return false;
  lane->has_more = true;
  cnk_list_add(&lanes->unfilled, &lane->link);
  cnk_lanes_go(lanes, context);
  return true;
}

bool cnk_lanes_is_unfilled(const struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial)
{
  const struct cnk_lane *lane = cnk_lane_find(lanes, key);
  return lane && lane->serial == serial && lane->is_unfilled;
}

void cnk_lanes_filled(struct cnk_lanes *lanes, struct cnk_text key, uint64_t serial, void *context)
{
  if (!cnk_lanes_is_unfilled(lanes, key, serial))
    return;
  struct cnk_lane *lane = cnk_lane_find(lanes, key);
  lane->is_unfilled = false;
  go_on(lane);
  go_and_tell(lanes, context);
}
