/* SPDX-License-Identifier: MIT */
/*
 * What listener.c (the daemon on the loop), exchange.c (a request, from its first line on), answer.c, room.c (who must
 * leave for others) and peer.c (a client's connection and its deadline) share. Private to these five; the contract is
 * listener.h. Calls go one way: listener -> exchange, answer -> room -> peer.
 *
 * An exchange belongs to two parties: the library's request (`connection` is set) and the receiver (`is_owned`, from
 * the moment it is queued for delivery). It is recycled when both have released it.
 *
 * A complete request is first left waiting in the library without suspending it: the library then asks again at each
 * run, which is cheap, while suspending and resuming costs four system calls. Only when it has been asked many times
 * is the connection suspended.
 */
#ifndef CNK_LISTENER_PARTS_H
#define CNK_LISTENER_PARTS_H

#include <microhttpd.h>

#include "base/local.h"
#include "http/in/head.h"
#include "http/in/listener.h"

/* What a client is to do before its time is up. Where there is no room for all, they leave in this order. */
enum cnk_expected {
  EXPECT_HEAD,
  EXPECT_MORE,    /* another request, or the end */
  EXPECT_BODY,    /* or, once it is answered, that it takes the answer */
  EXPECT_NOTHING, /* the receiver is to answer */
};

/* A connection of a client. */
struct cnk_peer {
  struct cnk_link link;       /* among the listener's expected ones, or in no list */
  struct cnk_link ended_link; /* among the listener's ended ones, or in no list */
  double since, due;          /* when the deadline began to run, and when it is; INFINITY without one */
  struct cnk_timer timer;     /* for the deadline; fires before it when that was moved since */
  struct cnk_clock *clock;    /* whose deadline it is */
  int socket;
  unsigned retry_after_s;        /* of the listener's options */
  bool has_ended;                /* it will send no more; it may still wait for an answer */
  bool is_over;                  /* we have ended it */
  struct cnk_exchange *exchange; /* the request under way, or NULL */
};

enum cnk_phase {
  PHASE_HEAD,    /* the request line is in */
  PHASE_BODY,    /* the head has been checked */
  PHASE_DRAIN,   /* the body was refused: what still comes of it is dropped */
  PHASE_QUEUED,  /* complete, waiting for delivery */
  PHASE_OUT,     /* with the receiver */
  PHASE_ANSWERED /* or refused */
};

struct cnk_exchange {
  struct cnk_link link; /* in listener->exchanges, or among its free ones */
  struct cnk_done done;
  struct cnk_loop *loop;
  struct cnk_listener *listener;     /* NULL once that is closed */
  struct MHD_Connection *connection; /* NULL once the request is over */
  struct cnk_peer *peer;             /* as long as connection */
  const char *method;                /* the library's */
  const char *raw_target;            /* the library's, which has cut it up: for measuring */
  char *target;                      /* ours, grown as needed */
  size_t target_size, target_room;
  char *body;
  size_t body_size, body_room;
  size_t dropped; /* bytes of a body that was refused */
  struct cnk_head head;
  enum cnk_phase phase;
  int asked; /* how often the library has asked for the answer */
  bool is_owned, is_suspended;
  bool has_moved;  /* some of its body has come since room.c looked last */
  bool was_unread; /* when room.c looked last, the library had left bytes of it in the socket */
};

#define PLAIN_ANSWERS 8

/* The statuses whose refusals are counted: a client with a wrong address, signature or size, and no client at all. */
#define COUNTED_REFUSALS 4

/* Without body and fields, made once for each status. */
struct cnk_plain_answer {
  unsigned status;
  struct MHD_Response *response; /* NULL: free */
};

struct cnk_listener {
  struct MHD_Daemon *daemon;
  struct cnk_loop *loop;
  struct cnk_listener_options
      options;            /* its host and socket's path are not kept, body_path and body_field are copies */
  int socket;             /* the library's, which listens; -1 when it was given back */
  struct cnk_local local; /* the Unix socket, if it is one */
  cnk_listener_request_fn on_request;
  cnk_listener_shut_fn on_shut;
  cnk_listener_refusal_fn on_refusal; /* NULL: nobody hears */
  void *owner;
  int port;
  uv_poll_t poll;
  uv_timer_t nudge_timer;
  uv_timer_t room_timer;
  uv_poll_t ends_poll;
  int ends; /* an epoll descriptor: which clients will send no more */
  int open_handles;
  struct cnk_resource resource;
  struct cnk_done flush;
  struct cnk_done refusal;                  /* delivers the counts */
  unsigned refused[COUNTED_REFUSALS];       /* since they were delivered */
  struct cnk_list expected[EXPECT_NOTHING]; /* of cnk_peer: by what is expected, who waits longest first */
  struct cnk_list ended;                    /* of cnk_peer: have ended, and may be waiting for nothing */
  unsigned peers, max_peers;
  uint64_t looked_ms;        /* when room.c looked for stuck bodies last */
  int idle_runs;             /* how often in a row the library wanted to run on, and nothing came of it */
  struct cnk_list exchanges; /* alive */
  struct cnk_list free_exchanges;
  int free_count;
  size_t bodies;     /* bytes that have come of the bodies of all requests under way */
  int waiting;       /* complete, not suspended, not answered: these the library keeps asking about */
  bool has_progress; /* since the run began, some request came nearer to being complete */
  bool has_queued;   /* since the run began, some request was queued for delivery */
  bool is_due;       /* the daemon must run soon, whatever epoll says */
  bool is_paused;
  struct cnk_plain_answer plain[PLAIN_ANSWERS];
};

/* ---- peer.c ---- */

/* A connection that has just been made; NULL without memory. */
struct cnk_peer *cnk_peer_new(const struct cnk_listener *listener, int socket);
void cnk_peer_free(struct cnk_peer *peer); /* NULL is allowed */

/* Ends a connection; the library notices, and closes, at its next run. To cut is to tell one that has not said all 408, and
 * one that nobody has answered 503. */
void cnk_peer_end(struct cnk_peer *peer);
void cnk_peer_cut(struct cnk_peer *peer);

/* Bytes that have come and that the library has not read. */
int cnk_peer_unread(const struct cnk_peer *peer);

/* Starts a deadline in place of the one that runs. */
void cnk_peer_expect(struct cnk_listener *listener, struct cnk_peer *peer, enum cnk_expected what);

/* Makes the daemon run after what is queued for delivery now. */
void cnk_peer_want_run(struct cnk_listener *listener);

/* Says `status` on the socket itself, without a body, when the library cannot be made to: it must not have begun to
 * answer. The connection must be closed next. */
void cnk_peer_say(struct cnk_peer *peer, unsigned status);

/* ---- room.c ---- */

/* Has a new connection watched for its end; false when the system cannot. */
bool cnk_room_watch(struct cnk_listener *listener, struct cnk_peer *peer);

/* Before its peer is freed. Closing the socket would not do while a process that has just been forked shares it. */
void cnk_room_unwatch(struct cnk_listener *listener, const struct cnk_peer *peer);

/* Notes which clients have ended. */
void cnk_room_read_ends(struct cnk_listener *listener);

/* After each run of the library: ends connections whose clients have ended without saying all, or whose bodies are stuck,
 * and those that others must wait for. `is_busy`: the library wants to run on. */
void cnk_room_sweep(struct cnk_listener *listener, bool is_busy);

/* Makes room for so many bytes of a body, at the cost of the bodies that have been coming for longest. False: there is none. */
bool cnk_room_for_body(struct cnk_listener *listener, const struct cnk_exchange *exchange, size_t size);

/* ---- exchange.c ---- */

/* libmicrohttpd's callbacks for one request; `closure` is the listener. */
void *cnk_exchange_begin(void *closure, const char *uri, struct MHD_Connection *connection);
/* The delivery of listener->refusal. */
void cnk_exchange_deliver_refusals(struct cnk_done *done, void *context);
enum MHD_Result cnk_exchange_continue(void *closure, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **context);
void cnk_exchange_end(void *closure, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why);

/* The receiver releases it. */
void cnk_exchange_disown(struct cnk_exchange *exchange);

/* For a listener that closes: resumes what is suspended, as its daemon must not stop otherwise. */
void cnk_exchange_wake(struct cnk_listener *listener);

/* For a listener that closes, after its daemon has stopped: releases every exchange, and frees the spare ones. */
void cnk_exchange_release_all(struct cnk_listener *listener);

#endif
