/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface on the loop: its sockets are polled and its timer kept by libuv. Knows nothing of HTTP.
 * libcurl's timer is by the system's clock, as is its own reading of the time: it is woken for attempts to connect, name
 * lookups and the like, never for a timeout of ours.
 *
 * libcurl's socket and timer callbacks only record here; curl_multi_socket_action runs from libuv's callbacks, when
 * libcurl has returned. The struct belongs to the caller, who keeps it until `on_closed` was called.
 */
#ifndef CNK_HTTP_MULTI_H
#define CNK_HTTP_MULTI_H

#include <curl/curl.h>

#include "base/loop.h"

struct cnk_socket;

struct cnk_multi {
  struct cnk_loop *loop;
  CURLM *curl;
  uv_timer_t timer;
  uv_check_t keeper;           /* keeps the loop going while transfers are under way */
  struct cnk_socket **sockets; /* by descriptor */
  size_t socket_slots;
  size_t transfers;
  int open_handles;
  /* A transfer has ended. It is still added; may add and remove any, and must not call user code. */
  void (*on_over)(struct cnk_multi *multi, CURL *easy, CURLcode code);
  void (*on_closed)(struct cnk_multi *multi);
  /* A socket that was taken is ready for UV_READABLE or UV_WRITABLE; may do anything but call user code. NULL where none
   * is taken. */
  void (*on_ready)(void *owner, int events);
};

/* Set the two callbacks first. False when memory is out; nothing is left open then. */
bool cnk_multi_init(struct cnk_multi *multi, struct cnk_loop *loop);

/* Ends the connections; no transfer may be added any more. `on_closed` comes when libuv no longer uses the struct. */
void cnk_multi_deinit(struct cnk_multi *multi);

/* Prepares an easy handle that will be added here; again after every curl_easy_reset. */
CURLcode cnk_multi_adopt(struct cnk_multi *multi, CURL *easy);

/* Starts a transfer, which keeps the loop going until it is removed; false when memory is out. */
bool cnk_multi_add(struct cnk_multi *multi, CURL *easy);

/* Ends a transfer, at any moment but inside a callback of libcurl. */
void cnk_multi_remove(struct cnk_multi *multi, CURL *easy);

/* Takes the socket of a transfer that only connected (CURLOPT_CONNECT_ONLY) out of libcurl's hands, for `on_ready` with
 * its owner, until the connection is closed. The transfer stays added: libcurl closes the connection of one that is removed. False when the
 * socket is not known. */
bool cnk_multi_take(struct cnk_multi *multi, curl_socket_t fd, void *owner);

/* What on_ready is to be told of a socket that was taken; calling it again with the same costs nothing. */
void cnk_multi_poll(struct cnk_multi *multi, curl_socket_t fd, int events);

#endif
