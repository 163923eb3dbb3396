/* SPDX-License-Identifier: MIT */
/*
 * POSTs to the same URL with the same head, again and again: the messages that a bot sends. libcurl only carries the bytes
 * (name, connection, TLS and proxy are its own); the request is written and the answer read here, which costs a tenth of what
 * a transfer of libcurl's costs. What is sent, what an answer means and how a request fails is as for client.h, but that
 * the answer is read more strictly (reply.h). Requests that need more, see cnk_endpoint_suits, are client.h's.
 *
 * A connection is used again for 20 seconds, after a look whether it still stands. A request is written anew only when its
 * connection, which had been kept, took not one byte of it; once a byte was taken, or may have been, it never is.
 */
#ifndef CNK_HTTP_ENDPOINT_H
#define CNK_HTTP_ENDPOINT_H

#include "http/out/client.h"

/* Connections, and so requests under way. The rest waits in a queue. */
#define CNK_POST_MOST 256

struct cnk_posts;    /* what a loop posts: connections, requests */
struct cnk_endpoint; /* where to, and with which head */
struct cnk_post;     /* one request */

/* Lives until the loop ends. NULL when memory is out. */
struct cnk_posts *cnk_posts_new(struct cnk_loop *loop);

/* Whether these options are those of an endpoint: a POST whose answer is read whole and at any speed, whose URL has no user in it,
 * whose headers are none of HTTP's own, and which is not asked of a proxy in the clear. The body does not matter. */
bool cnk_endpoint_suits(const struct cnk_http_options *options);

/* Puts an endpoint for options that suit into `*slot`, which becomes NULL again when it is closed, or with the loop. Copies the
 * options. False when memory is out. */
bool cnk_endpoint_open(struct cnk_posts *posts, const struct cnk_http_options *options, struct cnk_endpoint **slot);

/* Requests under way go on. */
void cnk_endpoint_close(struct cnk_endpoint *endpoint);

/* As cnk_http_event_fn, with one event for each request: CNK_HTTP_ANSWER or CNK_HTTP_FAILURE. */
typedef void cnk_post_event_fn(struct cnk_post **slot, const struct cnk_http_event *event, void *context);

/* Starts a request and puts it into `*slot`, which becomes NULL again when the request is gone, by its event or with the
 * loop. Copies the body. False when memory is out. */
bool cnk_post_start(struct cnk_endpoint *endpoint, struct cnk_text body, cnk_post_event_fn *on_event,
                    struct cnk_post **slot);

/* Ends the request now: its event will be the failure CNK_HTTP_CANCELLED. */
void cnk_post_cancel(struct cnk_post *post);

/* Says that the event has been used. */
void cnk_post_taken(struct cnk_post *post);

#endif
