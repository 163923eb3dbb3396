/* SPDX-License-Identifier: MIT */
/* What the two files of the fault server share: its state, and what one connection ("link") does. */
#ifndef FAULT_SERVER_H
#define FAULT_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>

#define MOST_ACTIONS 65536
#define MOST_LINKS 4096

struct bytes {
  char *data;
  size_t size, room;
};

void bytes_add(struct bytes *bytes, const void *data, size_t size);
void bytes_drop(struct bytes *bytes, size_t size); /* from the front */
void bytes_free(struct bytes *bytes);

/* What happens when everything in `out` is written. */
enum then { THEN_NEXT, THEN_CLOSE, THEN_RESET, THEN_STALL, THEN_MORE };

struct link {
  int fd, upstream, number;
  struct bytes in, out, answer; /* answer: from the upstream, or waiting for its time */
  const char *action;           /* of the request being read or answered; NULL between two */
  enum then then;
  long wake_at;                     /* milliseconds; 0: never */
  long drip_ms;                     /* 0: write as fast as it goes */
  size_t upstream_written, at_once; /* at_once: of `out`, before it drips */
  bool is_answering, is_closed, has_early, is_tunnel;
};

struct server {
  int listener, upstream_port, requests, connections;
  long long sent; /* bytes of answers, taken by the kernel */
  char *actions[MOST_ACTIONS];
  int action_count, action_at;
  struct link *links[MOST_LINKS];
  int link_count;
  FILE *log; /* NULL: none */
};

struct poll_owner {
  struct link *link;
  bool is_upstream;
};

void link_setup(struct server *server, const char *(*take_action)(void));
short link_wants(const struct link *link);
short link_wants_upstream(const struct link *link);
long link_time_left(const struct link *link); /* -1: none */
void link_ready(struct link *link, short events);
void link_upstream_ready(struct link *link, short events);
void link_wake(struct link *link);

#endif
