/* SPDX-License-Identifier: MIT */
/* The structs that endpoint.c (what is sent, and where to), transport.c (libcurl as transport) and post.c (the life of requests)
 * share. Internal to them. */
#ifndef CNK_HTTP_POST_H
#define CNK_HTTP_POST_H

#include "base/buffer.h"
#include "http/out/endpoint.h"
#include "http/out/failure.h"
#include "http/out/multi.h"
#include "http/out/reply.h"

/* The largest record of TLS (RFC 8446, 5.1). With a piece of this size libcurl either has written none of a record, or keeps it;
 * with a longer one it may say that it took nothing when records have left. And a read of this size leaves none behind. */
#define CNK_POST_PIECE ((size_t)16 * 1024)

/* A post is in one of three lists: `waiting` for a connection, `live` from its start until its event was taken, or `spare`. */
struct cnk_posts {
  struct cnk_loop *loop;
  struct cnk_resource resource;
  uv_check_t keeper; /* keeps the loop going while requests are under way; connections alone do not */
  CURLSH *share;     /* names and TLS sessions, which each multi handle would keep for itself */
  struct cnk_list waiting, live, spare;
  struct cnk_list endpoints, routes;
  struct cnk_list carriers;
  struct cnk_list idle; /* connections, the one that is idle for longest first */
  struct cnk_timer sweep;
  size_t active, spare_count, connections;
  size_t open_handles; /* the keeper, and carriers, until libuv has closed them */
  struct cnk_buffer key;
  char piece[CNK_POST_PIECE]; /* of an answer */
  /* What becomes of a post's connection: it was made, or not; there is something to read, or room to write. */
  void (*on_connected)(struct cnk_post *post, CURLcode code);
  void (*on_ready)(struct cnk_post *post, int events);
};

/* What connections have in common that may stand in for each other: server, TLS and proxy. */
struct cnk_route {
  struct cnk_link link;
  size_t users;
  struct cnk_buffer key;           /* the texts of `options` are in it */
  struct cnk_http_options options; /* url: without a path */
  bool is_secure;
  struct cnk_list idle; /* connections, the newest first */
};

struct cnk_endpoint {
  struct cnk_link link;
  struct cnk_posts *posts;
  struct cnk_endpoint **slot;
  struct cnk_route *route;
  struct cnk_buffer head; /* up to the number of Content-Length */
  size_t max_bytes;
  long timeout_ms, connect_timeout_ms;
};

/* A handle of libcurl's that only connected. Either a post has it, or it is idle. */
struct cnk_transport {
  struct cnk_link by_age, by_route; /* while idle */
  struct cnk_posts *posts;
  struct cnk_route *route;
  struct cnk_post *post;
  struct cnk_carrier *carrier; /* see transport.c */
  CURL *easy;
  curl_socket_t fd;
  double idle_since;
  bool is_used; /* an answer has come over it */
  char message[CURL_ERROR_SIZE];
};

struct cnk_post {
  struct cnk_link link;
  struct cnk_posts *posts;
  struct cnk_route *route;
  struct cnk_transport *connection; /* NULL while it waits, and when it is over */
  struct cnk_post **slot;
  cnk_post_event_fn *on_event;
  struct cnk_done done;
  struct cnk_timer timer, connect_timer;
  long timeout_ms, connect_timeout_ms;
  size_t max_bytes;
  struct cnk_buffer out; /* stays in place until it is written: TLS wants the same bytes again */
  size_t written;
  struct cnk_reply reply;
  struct cnk_http_failure failure;
  bool is_repeated;
  bool is_over;
};

/* endpoint.c: lets go of a route. */
void cnk_route_release(struct cnk_route *route);

/* Ends all that there are. */
void cnk_endpoint_close_all(struct cnk_posts *posts);

/* transport.c: an idle connection that still stands; NULL when there is none. */
struct cnk_transport *cnk_transport_take(struct cnk_route *route);

/* Whether one more may be opened. It may cost another route's idle one. */
bool cnk_transport_has_room(struct cnk_posts *posts);

/* Opens one for a post, of which posts->on_connected is told, never from within this call. NULL when memory is out. */
struct cnk_transport *cnk_transport_open(struct cnk_posts *posts, struct cnk_post *post);

/* Says that its post no longer needs it: it becomes idle. */
void cnk_transport_rest(struct cnk_transport *connection);

void cnk_transport_close(struct cnk_transport *connection);

/* Takes up to `size` bytes, at most CNK_POST_PIECE; CURLE_AGAIN when none, or a record that must be given again. */
CURLcode cnk_transport_send(struct cnk_transport *connection, const char *data, size_t size, size_t *taken);

/* Reads into posts->piece; `*size` is 0 at the end. CURLE_AGAIN when there is nothing yet. */
CURLcode cnk_transport_receive(struct cnk_transport *connection, size_t *size);

/* Whether posts->on_ready is to be told of room for writing, beside something to read. */
void cnk_transport_wants_room(struct cnk_transport *connection, bool is_wanted);

/* Closes all that are idle. */
void cnk_transport_close_idle(struct cnk_posts *posts);

/* Says that libuv has closed a handle; frees `posts` when it was the last one. */
void cnk_posts_handle_closed(struct cnk_posts *posts);

#endif
