/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests over libcurl, on the loop. One client serves a loop, reuses connections and prepared handles, and runs
 * at most CNK_HTTP_MOST_ACTIVE exchanges at a time; the rest wait in a queue, and their timeouts
 * count meanwhile.
 *
 * A request that is not safe to repeat (any but GET, HEAD and OPTIONS) is written at most once, whatever happens to its
 * connection, and goes over HTTP/1.1; the others go over HTTP/2 where TLS offers it. TLS certificates are always
 * verified. Redirects are followed for GET and HEAD without a body only, and never from https to http; the caller's
 * headers stay with the origin they were meant for.
 */
#ifndef CNK_HTTP_CLIENT_H
#define CNK_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/loop.h"
#include "base/text.h"

/* Few enough to leave descriptors for everybody else where the limit is 1,024. Streams are not counted: an unread
 * one would block the others. */
#define CNK_HTTP_MOST_ACTIVE 256

/* Enough for any answer; curl and common servers refuse heads of this size too. */
#define CNK_HTTP_MOST_HEAD ((size_t)128 * 1024)

/* Seconds over which the least speed of a transfer is measured: long enough for a mobile network that changes cells. */
#define CNK_HTTP_SPEED_WINDOW 30

struct cnk_http_client;
struct cnk_http_request;

/* Behind every text of the options is a NUL, for libcurl. */
struct cnk_http_options {
  struct cnk_text method, url;
  struct cnk_text ca_file, proxy; /* no data: the system's certificates; the environment's proxy */
  struct cnk_text unix_path; /* of a Unix socket that is connected to, whatever host the URL names; no data: none */
  const struct cnk_text *headers; /* each "Name: value" */
  size_t header_count;
  struct cnk_text body;    /* no data: none */
  long timeout_ms;         /* until the answer is complete; 0: none */
  long connect_timeout_ms; /* name, connection and TLS; 0: libcurl's */
  size_t max_bytes;        /* of the answer's body */
  size_t min_speed;        /* bytes a second, once connected; 0: none. Not while the server prepares its answer, and not
                              while a stream is not read */
  int max_redirects;
  bool is_stream;
};

enum cnk_http_kind {
  CNK_HTTP_NETWORK,
  CNK_HTTP_TLS,
  CNK_HTTP_TIMEOUT,
  CNK_HTTP_TOO_LARGE,
  CNK_HTTP_CANCELLED,
  CNK_HTTP_INVALID, /* the options are at fault */
};

enum cnk_http_what {
  CNK_HTTP_ANSWER,  /* status, head and body; the last event of a plain request */
  CNK_HTTP_HEAD,    /* status and head: the first event of a stream */
  CNK_HTTP_CHUNK,   /* body: answers a read */
  CNK_HTTP_END,     /* answers a read; the last event */
  CNK_HTTP_FAILURE, /* kind, message, is_sent; the last event */
};

struct cnk_http_event {
  enum cnk_http_what what;
  int status;
  struct cnk_text head, body;
  enum cnk_http_kind kind;
  const char *message; /* holds neither the URL nor a header */
  bool is_sent;        /* some of the request may have been written, so the server may have acted upon it */
};

/* Called from cnk_loop_step. The event points into the request: copy what is needed, call cnk_http_taken, and run user
 * code only then. */
typedef void cnk_http_event_fn(struct cnk_http_request **slot, const struct cnk_http_event *event, void *context);

/* Lives until the loop ends. NULL when memory is out. */
struct cnk_http_client *cnk_http_client_new(struct cnk_loop *loop);

/* Starts a request and puts it into `*slot`, which becomes NULL again when the request is gone, by the last event or
 * with the loop. Copies the options but *borrows the body* until then. Options that cannot be used fail like anything
 * else, by an event. False when memory is out. */
bool cnk_http_start(struct cnk_http_client *client, const struct cnk_http_options *options, cnk_http_event_fn *on_event,
                    struct cnk_http_request **slot);

/* Asks a stream, after its head, for one CHUNK, END or FAILURE. Unread, a stream holds a bounded number of bytes and
 * its connection is not read. False when a read is under way already. */
bool cnk_http_read(struct cnk_http_request *request);

/* Ends the request now. An event that is still due will be the failure CNK_HTTP_CANCELLED; with none due the request
 * is gone. */
void cnk_http_cancel(struct cnk_http_request *request);

/* Says that the event in hand has been used. */
void cnk_http_taken(struct cnk_http_request *request);

/* "network", "tls", … */
const char *cnk_http_kind_name(enum cnk_http_kind kind);

#endif
