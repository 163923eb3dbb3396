/* SPDX-License-Identifier: MIT */
/*
 * HTTP in: libmicrohttpd without threads, its epoll descriptor polled by our loop. A request is delivered as an
 * exchange once its whole body is in, from cnk_loop_step(), and may be answered at once or much later.
 *
 * Refused here, before anyone is asked: what the request line and the header fields must not be (see head.h), bodies
 * beyond the maximum (413, as soon as that is known), bodies for a path that takes none (404) or without the field
 * that vouches for them (401), a chunk's head that is longer than the library's buffer (400), clients that are too slow (cut), too many connections from one address (cut).
 * A client that has ended, and has not said all, is cut at once.
 *
 * At the maximum of connections in all, new ones wait in the system's queue; and while one waits, another that has kept
 * everybody waiting for longer than the patience is cut for it: first those whose heads are not complete, then idle
 * ones, then those with bodies or answers under way, and of these who waits longest. So do bodies for other bodies.
 *
 * A stale Unix socket, which no process listens on, is replaced; any other file of that name is left alone.
 *
 * A connection ends with its answer when the request was chunked: the library's chunk parser takes more than the
 * standard allows (bare LF, any extension), and what it might take for a following request is thus never read.
 */
#ifndef CNK_LISTENER_H
#define CNK_LISTENER_H

#include <stdint.h>

#include "base/loop.h"

struct cnk_listener;
struct cnk_exchange;

/* All of them are copied. */
struct cnk_listener_options {
  const char *unix_path;  /* a Unix socket instead of host and port, for this user alone; NULL: none */
  const char *host;       /* an IPv4 or IPv6 address, or "localhost"; names are not looked up, that could block */
  int port;               /* 0: any free one */
  const char *body_path;  /* the only path that takes bodies: others are refused with 404 as they begin; NULL: any */
  const char *body_field; /* a header field that requests with a body must have, else 401; NULL: none */
  size_t max_body;        /* bytes */
  size_t max_bodies;      /* bytes, of all requests under way together; what comes beyond gets 503 */
  uint64_t header_timeout_ms; /* for the whole head, from the connection or the request line on */
  uint64_t body_timeout_ms;   /* for the whole body; and for the client to take the whole answer */
  uint64_t idle_timeout_ms;   /* for a kept-alive connection to ask again */
  uint64_t answer_timeout_ms; /* for the receiver to answer: then the client gets 503. 0: it waits */
  unsigned retry_after_s;     /* what the listener's own 503 says (Retry-After); 0: nothing */
  uint64_t patience_ms;       /* after which a client that is waited for may be cut for another one */
  unsigned max_connections;   /* fewer where the process may not open so many files */
  unsigned max_per_address;   /* 0: as many as there are; a proxy in front makes all clients one address */
};

/* Called from cnk_loop_step() only. `exchange` is the receiver's now: to answer or to drop, exactly once. */
typedef void (*cnk_listener_request_fn)(void *owner, struct cnk_exchange *exchange, void *context);
/* Some requests were refused here, which the receiver never sees; called from cnk_loop_step() only, for all of one status since
 * the last call. */
typedef void (*cnk_listener_refusal_fn)(void *owner, unsigned status, unsigned count, void *context);
/* The loop ends and has closed the listener; called from cnk_loop_deinit() only. */
typedef void (*cnk_listener_shut_fn)(void *owner);

/* Listens, and keeps the loop under way until closed. On failure NULL, and a message for people. */
struct cnk_listener *cnk_listener_open(struct cnk_loop *loop, const struct cnk_listener_options *options,
                                       cnk_listener_request_fn on_request, cnk_listener_shut_fn on_shut, void *owner,
                                       char *message, size_t size);

/* Who hears of refusals with 400, 401, 404 and 413; nobody before this is called. */
void cnk_listener_hear_refusals(struct cnk_listener *listener, cnk_listener_refusal_fn on_refusal);

int cnk_listener_port(const struct cnk_listener *listener);

/* Gives the port back, or takes the Unix socket away. Idle connections are closed, the others with their answer. Idempotent. */
void cnk_listener_pause(struct cnk_listener *listener);

/* Cuts everything; exchanges still out become gone. The listener must not be used again. */
void cnk_listener_close(struct cnk_listener *listener);

/* ---- exchanges: borrowed strings, valid until the exchange is answered or dropped -------------------------------- */

const char *cnk_exchange_method(const struct cnk_exchange *exchange);
/* As the client wrote it, undecoded; *size bytes without NUL. The query excludes its `?`; NULL when there is none. */
const char *cnk_exchange_path(const struct cnk_exchange *exchange, size_t *size);
const char *cnk_exchange_query(const struct cnk_exchange *exchange, size_t *size);
const char *cnk_exchange_body(const struct cnk_exchange *exchange, size_t *size);
/* Of several fields with that name the first. NULL when there is none, and when the client has gone. */
const char *cnk_exchange_header(const struct cnk_exchange *exchange, const char *name, size_t *size);
/* Writes the client's address without its port; "unix" for a Unix socket. False when the client has gone. */
bool cnk_exchange_peer(const struct cnk_exchange *exchange, char *out, size_t size);

enum cnk_answer {
  CNK_ANSWER_TAKEN,   /* on its way; the exchange is released */
  CNK_ANSWER_GONE,    /* the client has disconnected; the exchange is released */
  CNK_ANSWER_REFUSED, /* a status or header that cannot be sent, or no memory; the exchange is still to be answered */
};

/* Copies all it is given. `headers` are `count` strings "Name: value". That TAKEN says only that the system has not
 * reported the client's leaving so far. */
enum cnk_answer cnk_exchange_answer(struct cnk_exchange *exchange, unsigned status, const void *body, size_t size,
                                    const char *const *headers, size_t count);

/* Answers 500, if anybody is still there, and releases the exchange. */
void cnk_exchange_drop(struct cnk_exchange *exchange);

/* Closes the connection without an answer, and releases the exchange: how a broken server looks to a client. */
void cnk_exchange_cut(struct cnk_exchange *exchange);

#endif
