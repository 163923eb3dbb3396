/* SPDX-License-Identifier: MIT */
/*
 * Who must leave, so that others have room: clients that have ended in the middle of a request, bodies that are stuck,
 * and, where connections or memory are short, clients that keep everybody waiting. See listener.h for what is promised.
 *
 * The library's own view is not enough. It sleeps on edges of epoll, and one edge says both "bytes" and "the end": it
 * reads the bytes, and sleeps through the end. And where a chunk's head has filled its buffer, it neither reads nor refuses.
 */
#include <poll.h>
#include <sys/epoll.h>

#include "http/in/parts.h"

/* How often is looked while clients wait for room, by the system's time; and whether a body is stuck. */
#define LOOK_MS 10

static struct cnk_peer *peer_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_peer, link);
}

static void end(struct cnk_listener *listener, struct cnk_peer *peer)
{
  cnk_peer_end(peer);
  listener->is_due = true;
}

/* ---- clients that have ended ------------------------------------------------------------------------------------- */

bool cnk_room_watch(struct cnk_listener *listener, struct cnk_peer *peer)
{
  struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = peer};
  return epoll_ctl(listener->ends, EPOLL_CTL_ADD, peer->socket, &event) == 0;
}

void cnk_room_unwatch(struct cnk_listener *listener, const struct cnk_peer *peer)
{
  epoll_ctl(listener->ends, EPOLL_CTL_DEL, peer->socket, NULL);
}

void cnk_room_read_ends(struct cnk_listener *listener)
{
  struct epoll_event events[64];
  int count = epoll_wait(listener->ends, events, sizeof events / sizeof *events, 0);
  for (int i = 0; i < count; i++) {
    struct cnk_peer *peer = events[i].data.ptr;
    peer->has_ended = true;
    if (!cnk_link_is_linked(&peer->ended_link))
      cnk_list_add(&listener->ended, &peer->ended_link);
  }
  /* The library first reads what came before the end. */
  if (count > 0)
    cnk_peer_want_run(listener);
}

/* Is the rest of a request expected? Otherwise the client is owed an answer. */
static bool must_say_more(const struct cnk_peer *peer)
{
  const struct cnk_exchange *exchange = peer->exchange;
  return !exchange || exchange->phase == PHASE_HEAD || exchange->phase == PHASE_BODY || exchange->phase == PHASE_DRAIN;
}

/* Those who are owed an answer come again with what is expected of them next. */
static void sweep_ended(struct cnk_listener *listener)
{
  struct cnk_list unread;
  cnk_list_init(&unread);
  for (struct cnk_link *link; (link = cnk_list_take(&listener->ended));) {
    struct cnk_peer *peer = CNK_OWNER(link, struct cnk_peer, ended_link);
    if (!must_say_more(peer))
      continue;
    if (cnk_peer_unread(peer) > 0)
      cnk_list_add(&unread, link);
    else
      end(listener, peer);
  }
  cnk_list_move(&listener->ended, &unread);
}

/* ---- bodies that are stuck ---------------------------------------------------------------------------------------- */

/* The library reads what there is, unless its buffer is full; and a full buffer that gives no body is a chunk's head. Twice in
 * a row, for bytes may come between its reading and our looking. */
static bool is_stuck(struct cnk_exchange *exchange)
{
  if (!exchange->head.is_chunked || (exchange->phase != PHASE_BODY && exchange->phase != PHASE_DRAIN))
    return false;
  bool is_unread = !exchange->has_moved && cnk_peer_unread(exchange->peer) > 0;
  bool was_unread = exchange->was_unread;
  exchange->was_unread = is_unread;
  exchange->has_moved = false;
  return is_unread && was_unread;
}

static void sweep_stuck(struct cnk_listener *listener)
{
  uint64_t now_ms = uv_now(&listener->loop->uv);
  if (now_ms < listener->looked_ms + LOOK_MS)
    return;
  listener->looked_ms = now_ms;
  CNK_LIST_EACH (link, &listener->exchanges) {
    struct cnk_exchange *exchange = CNK_OWNER(link, struct cnk_exchange, link);
    if (!exchange->connection || !is_stuck(exchange))
      continue;
    if (exchange->phase == PHASE_BODY)
      cnk_peer_say(exchange->peer, MHD_HTTP_BAD_REQUEST);
    exchange->phase = PHASE_ANSWERED;
    end(listener, exchange->peer);
  }
}

/* ---- connections and memory ---------------------------------------------------------------------------------------- */

static bool is_slow(const struct cnk_listener *listener, const struct cnk_peer *peer)
{
  return cnk_clock_monotonic(listener->loop->clock) - peer->since >= (double)listener->options.patience_ms / 1000.0;
}

static struct cnk_peer *slowest(const struct cnk_listener *listener)
{
  for (int what = 0; what < EXPECT_NOTHING; what++) {
    struct cnk_link *first = cnk_list_first(&listener->expected[what]);
    if (first && is_slow(listener, peer_of(first)))
      return peer_of(first);
  }
  return NULL;
}

static bool is_somebody_waiting(const struct cnk_listener *listener)
{
  struct pollfd look = {.fd = listener->socket, .events = POLLIN};
  return poll(&look, 1, 0) > 0;
}

static void on_room(uv_timer_t *timer)
{
  struct cnk_listener *listener = timer->data;
  cnk_room_sweep(listener, false);
  if (listener->is_due)
    cnk_peer_want_run(listener);
}

/* One for one: the library takes the next as soon as it has closed this one. */
static void sweep_full(struct cnk_listener *listener)
{
  if (listener->peers < listener->max_peers || listener->is_paused)
    return;
  struct cnk_peer *peer = is_somebody_waiting(listener) ? slowest(listener) : NULL;
  if (peer) {
    cnk_peer_cut(peer);
    listener->is_due = true;
  } else if (!uv_is_active((uv_handle_t *)&listener->room_timer)) {
    uv_timer_start(&listener->room_timer, on_room, LOOK_MS, 0);
  }
}

void cnk_room_sweep(struct cnk_listener *listener, bool is_busy)
{
  if (!cnk_list_is_empty(&listener->ended))
    sweep_ended(listener);
  if (is_busy)
    sweep_stuck(listener);
  sweep_full(listener);
}

/* Its connection ends at the library's next run; its memory is free now. */
static void give_up_body(struct cnk_listener *listener, struct cnk_exchange *exchange)
{
  cnk_peer_cut(exchange->peer);
  exchange->phase = PHASE_ANSWERED;
  listener->bodies -= exchange->body_size;
  exchange->body_size = 0;
  listener->is_due = true;
}

bool cnk_room_for_body(struct cnk_listener *listener, const struct cnk_exchange *exchange, size_t size)
{
  struct cnk_link *next = cnk_list_first(&listener->expected[EXPECT_BODY]);
  while (size > listener->options.max_bodies - listener->bodies) {
    if (!next || next == &listener->expected[EXPECT_BODY].ring || !is_slow(listener, peer_of(next)))
      return false;
    struct cnk_exchange *other = peer_of(next)->exchange;
    next = next->next;
    if (other && other != exchange && other->phase == PHASE_BODY)
      give_up_body(listener, other);
  }
  return true;
}
