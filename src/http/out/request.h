/* SPDX-License-Identifier: MIT */
/*
 * The structs that client.c (life), pool.c (reuse), setup.c (options to libcurl), transfer.c
 * (libcurl's callbacks), pace.c (the least speed) and redirect.c share. Internal to them.
 */
#ifndef CNK_HTTP_REQUEST_H
#define CNK_HTTP_REQUEST_H

#include "base/buffer.h"
#include "http/out/failure.h"
#include "http/out/multi.h"
#include "http/out/setup.h"

/* What a stream holds unread before its connection is paused. */
#define CNK_HTTP_STREAM_ROOM ((size_t)64 * 1024)

/* A request is in one of three lists: `waiting` for its turn, `live` from its start until its last event was taken, or
 * `idle`, kept with its prepared handle for the next request that looks alike. */
struct cnk_http_client {
  struct cnk_multi multi;
  struct cnk_loop *loop;
  struct cnk_resource resource;
  struct cnk_list waiting, live, idle; /* the newest idle one first */
  size_t active, idle_count;           /* active: without streams */
  struct cnk_buffer key;
};

struct cnk_http_request {
  struct cnk_link link; /* in one of the client's lists */
  struct cnk_http_client *client;
  struct cnk_loop *loop;
  struct cnk_http_request **slot;
  cnk_http_event_fn *on_event;
  struct cnk_done done;

  /* The prepared handle: `key` describes what it is prepared for, and is empty when that is unknown. */
  CURL *easy;
  bool is_used; /* it did a transfer */
  struct curl_slist *headers;
  struct cnk_buffer key;

  /* What was asked for, beyond the key. */
  struct cnk_text body;
  size_t max_bytes;
  long timeout_ms, connect_timeout_ms;
  int redirects_left;
  bool is_stream;
  bool has_body;      /* one of no bytes included */
  bool is_repeatable; /* GET and the like: harmless when the server sees it twice */
  bool is_plain;      /* GET or HEAD without a body: may be redirected */

  /* Our own, not libcurl's, so that they follow the loop's clock: of the whole request, its turn and its hops included;
   * and of the connection of this hop. */
  struct cnk_timer timer, connect_timer;

  /* The least speed: the end of the window that is measured; seconds that were left of it when measuring was held, and
   * the bytes that had moved when it began. */
  struct cnk_timer pace_timer;
  size_t min_speed, window_moved;
  double window_left;

  /* The answer so far. */
  struct cnk_buffer head, answer;
  size_t head_seen; /* of all hops, and of answers like "100 Continue" */
  size_t body_seen; /* of this hop */
  int status;
  char *redirect; /* where the answer sends us, when we shall go */
  bool is_head_over;

  /* Where it stands. */
  bool is_active; /* added to the multi handle */
  bool is_over;   /* nothing more will come */
  bool is_paused;
  bool is_head_told;
  bool is_reading;
  enum cnk_http_what in_hand;      /* the event that was told last */
  struct cnk_http_failure failure; /* has_written: libcurl was about to write the request */
};

static inline struct cnk_http_request *cnk_http_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_http_request, link);
}

/* pool.c: an idle request whose handle is prepared as client->key says, else a new or the oldest one; in no list. NULL when
 * memory is out. */
struct cnk_http_request *cnk_http_find(struct cnk_http_client *client);

/* Takes a live request out of use. */
void cnk_http_recycle(struct cnk_http_request *request);

void cnk_http_free(struct cnk_http_request *request);

/* Before each transfer: replaces a handle that must not do another one by a copy. False when memory is out. */
bool cnk_http_renew(struct cnk_http_request *request);

/* setup.c: writes what a handle must be prepared for into `key`, emptied before. False when memory is out. */
bool cnk_http_make_key(struct cnk_buffer *key, const struct cnk_http_options *options);

/* Prepares the handle for everything but the body and the timeouts. */
CURLcode cnk_http_prepare(struct cnk_http_request *request, struct cnk_multi *multi,
                          const struct cnk_http_options *options);

/* transfer.c: sets libcurl's callbacks. */
CURLcode cnk_http_hook(struct cnk_http_request *request);

/* Forgets the answer so far, for another hop or another request. */
void cnk_http_forget_answer(struct cnk_http_request *request);

/* pace.c: measures the speed from now on. */
void cnk_http_pace_begin(struct cnk_http_request *request);

/* Goes on with measuring, and stops meanwhile; nothing happens when it is so already. */
void cnk_http_pace_go(struct cnk_http_request *request);
void cnk_http_pace_hold(struct cnk_http_request *request);

/* At the end of a window: opens the next, or sets the failure of a transfer that is too slow and returns false. */
bool cnk_http_pace_check(struct cnk_http_request *request);

/* redirect.c: whether this head sends us on; sets `redirect` then. */
bool cnk_http_is_redirected(struct cnk_http_request *request);

/* Points the handle to the next hop; the answer of this one is to be forgotten next. */
CURLcode cnk_http_go_on(struct cnk_http_request *request);

#endif
