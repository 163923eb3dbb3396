/* SPDX-License-Identifier: MIT */
/* The connections of clients: their deadlines, what is said on a socket beside the library, and their end. See parts.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "http/in/parts.h"

/* The deadline of a client of whom nothing is expected. */
#define NEVER ((double)INFINITY)

void cnk_peer_say(struct cnk_peer *peer, unsigned status)
{
  char text[160], retry[40] = "";
  if (status == MHD_HTTP_SERVICE_UNAVAILABLE && peer->retry_after_s)
    snprintf(retry, sizeof retry, "Retry-After: %u\r\n", peer->retry_after_s);
  int size = snprintf(text, sizeof text, "HTTP/1.1 %u %s\r\nConnection: close\r\n%sContent-Length: 0\r\n\r\n", status,
                      MHD_get_reason_phrase_for(status), retry);
  /* A client that does not take it now does without. */
  if (send(peer->socket, text, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return;
}

/* The library sees a closed socket at its next run, and ends the request and the connection. */
void cnk_peer_end(struct cnk_peer *peer)
{
  cnk_list_remove(&peer->link);
  cnk_list_remove(&peer->ended_link);
  cnk_timer_stop(&peer->timer);
  peer->is_over = true;
  shutdown(peer->socket, SHUT_RDWR);
}

void cnk_peer_cut(struct cnk_peer *peer)
{
  struct cnk_exchange *exchange = peer->exchange;
  if (exchange && (exchange->phase == PHASE_HEAD || exchange->phase == PHASE_BODY))
    cnk_peer_say(peer, MHD_HTTP_REQUEST_TIMEOUT);
  else if (exchange && (exchange->phase == PHASE_QUEUED || exchange->phase == PHASE_OUT))
    cnk_peer_say(peer, MHD_HTTP_SERVICE_UNAVAILABLE);
  cnk_peer_end(peer);
}

int cnk_peer_unread(const struct cnk_peer *peer)
{
  int count = 0;
  return ioctl(peer->socket, FIONREAD, &count) == 0 ? count : 0;
}

static void on_deadline(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_peer *peer = CNK_OWNER(timer, struct cnk_peer, timer);
  if (cnk_clock_monotonic(peer->clock) >= peer->due)
    cnk_peer_cut(peer);
  else if (peer->due < NEVER)
    cnk_timer_start_at(timer, peer->clock, peer->due);
}

struct cnk_peer *cnk_peer_new(const struct cnk_listener *listener, int socket)
{
  struct cnk_peer *peer = calloc(1, sizeof *peer);
  if (!peer)
    return NULL;
  peer->socket = socket;
  peer->retry_after_s = listener->options.retry_after_s;
  peer->due = NEVER;
  peer->timer.fire = on_deadline;
  return peer;
}

void cnk_peer_free(struct cnk_peer *peer)
{
  if (!peer)
    return;
  cnk_list_remove(&peer->link);
  cnk_list_remove(&peer->ended_link);
  cnk_timer_stop(&peer->timer);
  free(peer);
}

void cnk_peer_expect(struct cnk_listener *listener, struct cnk_peer *peer, enum cnk_expected what)
{
  const uint64_t timeouts_ms[] = {
      [EXPECT_HEAD] = listener->options.header_timeout_ms,
      [EXPECT_BODY] = listener->options.body_timeout_ms,
      [EXPECT_MORE] = listener->options.idle_timeout_ms,
      [EXPECT_NOTHING] = listener->options.answer_timeout_ms,
  };
  cnk_list_remove(&peer->link);
  if (timeouts_ms[what] == 0) {
    peer->due = NEVER;
    return;
  }
  if (what != EXPECT_NOTHING)
    cnk_list_add(&listener->expected[what], &peer->link);
  peer->clock = listener->loop->clock;
  peer->since = cnk_clock_monotonic(peer->clock);
  peer->due = peer->since + (double)timeouts_ms[what] / 1000.0;
  /* A request has six deadlines, nearly all of which are over at once: a timer that fires early is left to run. */
  if (peer->timer.clock != peer->clock || peer->timer.due > peer->due)
    cnk_timer_start_at(&peer->timer, peer->clock, peer->due);
  if (peer->has_ended && what != EXPECT_NOTHING && !cnk_link_is_linked(&peer->ended_link))
    cnk_list_add(&listener->ended, &peer->ended_link);
}

void cnk_peer_want_run(struct cnk_listener *listener)
{
  listener->is_due = true;
  cnk_loop_finish(listener->loop, &listener->flush);
}
