/* SPDX-License-Identifier: MIT */
/* Two lanes that become one, for two conversations that turn out to be one person's; see lanes.h. */
#include "engine/lane.h"

/* An order, and who asks. */
struct order {
  const struct cnk_lanes_join *how;
  void *context;
};

static struct cnk_lane_item *item_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_lane_item, link);
}

static bool comes_before(const struct order *order, struct cnk_link *a, struct cnk_link *b)
{
  return order->how->comes_before(item_of(a), item_of(b), order->context);
}

/* Whether the head of a lane stays: it is under way, or it began before the lane became part of another one. */
static bool keeps_head(const struct cnk_lane *lane)
{
  return lane->is_under_way || lane->heir;
}

/* Moves the items of a lane that wait to `list`; the numbers of all lanes stay, for they come back to one. */
static void take_waiting(struct cnk_lane *lane, struct cnk_list *list)
{
  cnk_list_init(list);
  struct cnk_link *head = keeps_head(lane) && !lane->is_reserved ? cnk_list_take(&lane->items) : NULL;
  cnk_list_move(list, &lane->items);
  if (head)
    cnk_list_add(&lane->items, head);
  lane->count = head ? 1 : 0;
}

/* Almost always they are in order already, and each is compared once. */
static void sort(struct cnk_list *list, const struct order *order)
{
  struct cnk_list all;
  cnk_list_init(&all);
  cnk_list_move(&all, list);
  for (struct cnk_link *link; (link = cnk_list_take(&all));) {
    struct cnk_link *place = &list->ring;
    while (place->prev != &list->ring && comes_before(order, link, place->prev))
      place = place->prev;
    cnk_link_insert_before(place, link);
  }
}

/* Adds an item to the end of a lane; all numbers but the lane's have it. */
static void append(struct cnk_lane *lane, struct cnk_link *link)
{
  cnk_list_add(&lane->items, link);
  item_of(link)->lane = lane;
  lane->count++;
}

/* Adds the items of two lists to a lane, in order. */
static void merge(struct cnk_lane *lane, struct cnk_list *a, struct cnk_list *b, const struct order *order)
{
  sort(a, order);
  sort(b, order);
  while (!cnk_list_is_empty(a) || !cnk_list_is_empty(b)) {
    struct cnk_link *first = cnk_list_first(a), *second = cnk_list_first(b);
    bool is_second = !first || (second && comes_before(order, second, first));
    append(lane, cnk_list_take(is_second ? b : a));
  }
}

/* Who waits for the end of this lane waits for the end of another one. */
static void hand_down(struct cnk_lane *lane, struct cnk_lane *heir)
{
  struct cnk_table_node *node = NULL;
  while (lane->held > 0 && (node = cnk_table_next(&lane->lanes->table, node))) {
    struct cnk_lane *other = CNK_OWNER(node, struct cnk_lane, node);
    if (other->heir == lane) {
      other->heir = heir;
      heir->held++;
      lane->held--;
    }
  }
}

bool cnk_lanes_join(struct cnk_lanes *lanes, struct cnk_text from, struct cnk_text to, const struct cnk_lanes_join *how,
                    void *context)
{
  struct cnk_lane *lane = cnk_lane_find(lanes, from), *heir = cnk_lane_find(lanes, to);
  if (!lane || lane == heir)
    return true;
  if (!heir) {
    heir = cnk_lane_new(lanes, to, lane->is_background);
    if (!heir)
      return false;
    heir->is_put_off = true;
  }
  struct cnk_list items, others;
  take_waiting(lane, &items);
  take_waiting(heir, &others);
  CNK_LIST_EACH (link, &items)
    how->on_move(item_of(link), context);
  merge(heir, &items, &others, &(struct order){how, context});
  lane->has_more = lane->is_unfilled = false;
  lane->serial = ++lanes->serials;
  hand_down(lane, heir);
  if (!keeps_head(lane)) {
    cnk_lane_drop(lane);
  } else if (!lane->heir) { /* otherwise the head is of who had the key before */
    lane->heir = heir;
    heir->held++;
  }
  cnk_lane_go_on_if_free(heir);
  cnk_lanes_go(lanes, context);
  return true;
}
