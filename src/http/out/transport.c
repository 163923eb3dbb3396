/* SPDX-License-Identifier: MIT */
/*
 * Connections of posts: libcurl as transport (CURLOPT_CONNECT_ONLY); see post.h.
 *
 * Once it is connected libcurl has no timer and polls nothing, so the socket is ours. The handle stays in its multi handle as
 * long as the connection lives, for libcurl closes the connection with it. Closing removes the handle first: otherwise
 * curl_multi_cleanup would leave the descriptor open once something was sent. libcurl takes a connection for idle, and may close
 * it for its age, before the first send: so that comes as soon as it is there.
 */
#include <stdlib.h>

#include "http/out/post.h"
#include "http/out/setup.h"

static struct cnk_transport *of_age(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_transport, by_age);
}

/* ---- carriers ---------------------------------------------------------------------------------------------------- */

/* At each send and recv libcurl looks through the connections of a multi handle, and a multi handle takes 30 KB: so some
 * connections share one, but not all. */
#define MOST_CARRIED 16

struct cnk_carrier {
  struct cnk_link link;
  struct cnk_posts *posts;
  struct cnk_multi multi;
  size_t users;
};

static struct cnk_carrier *of_carrier(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_carrier, link);
}

void cnk_posts_handle_closed(struct cnk_posts *posts)
{
  if (--posts->open_handles > 0)
    return;
  free(posts->key.data);
  free(posts);
}

static void on_closed(struct cnk_multi *multi)
{
  struct cnk_carrier *carrier = CNK_OWNER(multi, struct cnk_carrier, multi);
  struct cnk_posts *posts = carrier->posts;
  free(carrier);
  cnk_posts_handle_closed(posts);
}

static void on_over(struct cnk_multi *multi, CURL *easy, CURLcode code)
{
  char *private = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
  struct cnk_transport *connection = (struct cnk_transport *)(void *)private;
  if (code == CURLE_OK)
    code = curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &connection->fd);
  if (code == CURLE_OK && !cnk_multi_take(multi, connection->fd, connection))
    code = CURLE_COULDNT_CONNECT;
  connection->posts->on_connected(connection->post, code);
}

static void on_ready(void *owner, int events);

static struct cnk_carrier *new_carrier(struct cnk_posts *posts)
{
  struct cnk_carrier *carrier = calloc(1, sizeof *carrier);
  if (!carrier)
    return NULL;
  carrier->posts = posts;
  carrier->multi.on_over = on_over;
  carrier->multi.on_closed = on_closed;
  carrier->multi.on_ready = on_ready;
  if (!cnk_multi_init(&carrier->multi, posts->loop)) {
    free(carrier);
    return NULL;
  }
  posts->open_handles++;
  cnk_list_add(&posts->carriers, &carrier->link);
  return carrier;
}

static struct cnk_carrier *find_carrier(struct cnk_posts *posts)
{
  CNK_LIST_EACH (link, &posts->carriers)
    if (of_carrier(link)->users < MOST_CARRIED)
      return of_carrier(link);
  return new_carrier(posts);
}

static void release_carrier(struct cnk_carrier *carrier)
{
  if (--carrier->users > 0)
    return;
  cnk_list_remove(&carrier->link);
  cnk_multi_deinit(&carrier->multi);
}

/* ---- open and close ---------------------------------------------------------------------------------------------- */

void cnk_transport_close(struct cnk_transport *connection)
{
  cnk_list_remove(&connection->by_age);
  cnk_list_remove(&connection->by_route);
  curl_multi_remove_handle(connection->carrier->multi.curl, connection->easy);
  curl_easy_cleanup(connection->easy);
  release_carrier(connection->carrier);
  cnk_route_release(connection->route);
  connection->posts->connections--;
  free(connection);
}

/* Whether an idle connection can be used: one that has something to say has ended, or says what nobody asked for. What TLS says
 * beside the data is libcurl's. */
static bool stands(struct cnk_transport *connection)
{
  size_t size = 0;
  return cnk_transport_receive(connection, &size) == CURLE_AGAIN;
}

static void on_ready(void *owner, int events)
{
  struct cnk_transport *connection = owner;
  if (connection->post)
    connection->posts->on_ready(connection->post, events);
  else if (!stands(connection))
    cnk_transport_close(connection);
}

/* What a proxy says of a tunnel that it refuses. */
static size_t drop(char *data, size_t one, size_t size, void *user)
{
  (void)data;
  (void)user;
  return one * size;
}

static CURLcode prepare(struct cnk_transport *connection, const struct cnk_post *post)
{
  CURL *easy = connection->easy;
  long share_ms = cnk_http_connect_share_ms(post->posts->loop, &post->timer, post->connect_timeout_ms);
  CURLcode code = cnk_multi_adopt(&connection->carrier->multi, easy);
  if (code == CURLE_OK)
    code = cnk_http_set_way(easy, &post->route->options);
#define SET(option, value) (code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code)
  SET(CURLOPT_CONNECT_ONLY, 1L);
  SET(CURLOPT_SHARE, post->posts->share);
  SET(CURLOPT_CONNECTTIMEOUT_MS, share_ms);
  SET(CURLOPT_WRITEFUNCTION, drop);
  SET(CURLOPT_HEADERFUNCTION, drop);
  SET(CURLOPT_ERRORBUFFER, connection->message);
  SET(CURLOPT_PRIVATE, connection);
#undef SET
  return code;
}

struct cnk_transport *cnk_transport_open(struct cnk_posts *posts, struct cnk_post *post)
{
  struct cnk_transport *connection = calloc(1, sizeof *connection);
  CURL *easy = connection ? curl_easy_init() : NULL;
  struct cnk_carrier *carrier = easy ? find_carrier(posts) : NULL;
  if (!carrier) {
    curl_easy_cleanup(easy);
    free(connection);
    return NULL;
  }
  *connection = (struct cnk_transport){
      .posts = posts, .post = post, .route = post->route, .carrier = carrier, .easy = easy, .fd = CURL_SOCKET_BAD};
  connection->route->users++;
  carrier->users++;
  posts->connections++;
  /* Not by cnk_multi_add, which keeps the loop going: the request does, as long as there is one. */
  if (prepare(connection, post) == CURLE_OK && curl_multi_add_handle(carrier->multi.curl, easy) == CURLM_OK)
    return connection;
  cnk_transport_close(connection);
  return NULL;
}

/* ---- idle ones --------------------------------------------------------------------------------------------------- */

/* Seconds for which it may still be used. By the clock that is in use: when another one took its place meanwhile, it may have
 * become idle in the future. */
static double time_left(const struct cnk_transport *connection)
{
  double age = cnk_clock_monotonic(connection->posts->loop->clock) - connection->idle_since;
  return age < 0 ? 0 : (double)CNK_HTTP_MOST_IDLE - age;
}

/* A millisecond early, for times that are added and taken away are not exact. */
static bool is_old(const struct cnk_transport *connection)
{
  return time_left(connection) < 0.001;
}

static void start_sweep(struct cnk_posts *posts)
{
  struct cnk_link *oldest = cnk_list_first(&posts->idle);
  if (oldest && posts->sweep.clock != posts->loop->clock) /* stopped, or another clock took the place of its own */
    cnk_timer_start(&posts->sweep, posts->loop->clock, time_left(of_age(oldest)));
}

static void on_sweep(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_posts *posts = CNK_OWNER(timer, struct cnk_posts, sweep);
  for (struct cnk_link *link; (link = cnk_list_take(&posts->idle));) {
    if (!is_old(of_age(link))) {
      cnk_list_add_first(&posts->idle, link);
      break;
    }
    cnk_transport_close(of_age(link));
  }
  start_sweep(posts);
}

void cnk_transport_rest(struct cnk_transport *connection)
{
  struct cnk_posts *posts = connection->posts;
  connection->post = NULL;
  connection->is_used = true;
  connection->idle_since = cnk_clock_monotonic(posts->loop->clock);
  cnk_list_add(&posts->idle, &connection->by_age);
  cnk_list_add_first(&connection->route->idle, &connection->by_route);
  posts->sweep.fire = on_sweep;
  start_sweep(posts);
}

struct cnk_transport *cnk_transport_take(struct cnk_route *route)
{
  for (struct cnk_link *link; (link = cnk_list_take(&route->idle));) {
    struct cnk_transport *connection = CNK_OWNER(link, struct cnk_transport, by_route);
    cnk_list_remove(&connection->by_age);
    if (!is_old(connection) && stands(connection))
      return connection;
    cnk_transport_close(connection);
  }
  return NULL;
}

bool cnk_transport_has_room(struct cnk_posts *posts)
{
  struct cnk_link *oldest = cnk_list_first(&posts->idle);
  if (posts->connections >= CNK_POST_MOST && oldest)
    cnk_transport_close(of_age(oldest));
  return posts->connections < CNK_POST_MOST;
}

void cnk_transport_close_idle(struct cnk_posts *posts)
{
  for (struct cnk_link *link; (link = cnk_list_take(&posts->idle));)
    cnk_transport_close(of_age(link));
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

CURLcode cnk_transport_send(struct cnk_transport *connection, const char *data, size_t size, size_t *taken)
{
  size_t piece = size < CNK_POST_PIECE ? size : CNK_POST_PIECE;
  *taken = 0;
  CURLcode code = curl_easy_send(connection->easy, data, piece, taken);
  return code == CURLE_OK && *taken == 0 ? CURLE_AGAIN : code;
}

CURLcode cnk_transport_receive(struct cnk_transport *connection, size_t *size)
{
  *size = 0;
  return curl_easy_recv(connection->easy, connection->posts->piece, CNK_POST_PIECE, size);
}

void cnk_transport_wants_room(struct cnk_transport *connection, bool is_wanted)
{
  cnk_multi_poll(&connection->carrier->multi, connection->fd, UV_READABLE | (is_wanted ? UV_WRITABLE : 0));
}
