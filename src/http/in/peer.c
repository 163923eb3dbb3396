/* SPDX-License-Identifier: MIT */
/* The connections of clients: their deadlines, what is said on a socket beside the library, and their end. See parts.h. */
#include <stdio.h>
#include <sys/socket.h>

#include "http/in/parts.h"

static void on_deadline(uv_timer_t *timer);

static void arm(struct cnk_listener *listener, uint64_t until)
{
  uint64_t now = uv_now(&listener->loop->uv);
  listener->armed_until = until;
  uv_timer_start(&listener->deadline_timer, on_deadline, until > now ? until - now : 0, 0);
}

void cnk_peer_expect(struct cnk_listener *listener, struct cnk_peer *peer, int which)
{
  cnk_list_remove(&peer->link);
  if (which == LISTS)
    return;
  const uint64_t durations[LISTS] = {listener->options.header_timeout_ms, listener->options.body_timeout_ms,
                                     listener->options.idle_timeout_ms};
  peer->deadline = uv_now(&listener->loop->uv) + durations[which];
  cnk_list_add(&listener->deadlines[which], &peer->link);
  if (peer->deadline < listener->armed_until)
    arm(listener, peer->deadline);
}

void cnk_peer_say(struct cnk_peer *peer, unsigned status)
{
  char text[128];
  int size = snprintf(text, sizeof text, "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", status,
                      MHD_get_reason_phrase_for(status));
  /* A client that does not take it now does without. */
  if (send(peer->socket, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return;
}

struct cnk_peer *cnk_peer_first(const struct cnk_list *list)
{
  struct cnk_link *first = cnk_list_first(list);
  return first ? CNK_OWNER(first, struct cnk_peer, link) : NULL;
}

/* The library sees a closed socket at its next run, and ends the request and the connection. */
void cnk_peer_cut(struct cnk_peer *peer)
{
  cnk_list_remove(&peer->link);
  struct cnk_exchange *exchange = peer->exchange;
  if (exchange && (exchange->phase == PHASE_HEAD || exchange->phase == PHASE_BODY))
    cnk_peer_say(peer, MHD_HTTP_REQUEST_TIMEOUT);
  shutdown(peer->socket, SHUT_RDWR);
}

static void on_deadline(uv_timer_t *timer)
{
  struct cnk_listener *listener = timer->data;
  uint64_t now = uv_now(timer->loop), next = UINT64_MAX;
  for (int i = 0; i < LISTS; i++) {
    struct cnk_peer *peer;
    while ((peer = cnk_peer_first(&listener->deadlines[i])) && peer->deadline <= now)
      cnk_peer_cut(peer);
    if (peer && peer->deadline < next)
      next = peer->deadline;
  }
  listener->armed_until = UINT64_MAX;
  if (next != UINT64_MAX)
    arm(listener, next);
}

void cnk_peer_want_run(struct cnk_listener *listener)
{
  listener->is_due = true;
  cnk_loop_finish(listener->loop, &listener->flush);
}
