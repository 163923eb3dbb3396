/* SPDX-License-Identifier: MIT */
/*
 * The life of a POST: it gets a connection, is written, and its answer is read; see endpoint.h. libcurl calls nothing here
 * before it has returned.
 */
#include <stdio.h>
#include <stdlib.h>

#include "http/out/post.h"

/* Kept for the next requests, with buffers up to this size. */
#define MOST_SPARE 128
#define KEPT_ROOM ((size_t)16 * 1024)

static struct cnk_post *of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_post, link);
}

/* ---- the end of a request ---------------------------------------------------------------------------------------- */

static void begin_waiting(struct cnk_posts *posts);

static void on_keeper(uv_check_t *keeper)
{
  (void)keeper;
}

static void on_keeper_closed(uv_handle_t *keeper)
{
  cnk_posts_handle_closed(keeper->data);
}

/* Lets go of the connection, which is closed unless another request may follow. */
static void leave(struct cnk_post *post, bool is_kept)
{
  struct cnk_transport *connection = post->connection;
  post->connection = NULL;
  if (connection && is_kept)
    cnk_transport_rest(connection);
  else if (connection)
    cnk_transport_close(connection);
}

static void settle(struct cnk_post *post, bool is_kept)
{
  struct cnk_posts *posts = post->posts;
  leave(post, is_kept);
  if (post->is_over)
    return;
  post->is_over = true;
  cnk_timer_stop(&post->timer);
  cnk_timer_stop(&post->connect_timer);
  cnk_list_remove(&post->link); /* it may have been waiting */
  cnk_list_add(&posts->live, &post->link);
  if (--posts->active == 0)
    uv_check_stop(&posts->keeper);
  cnk_loop_finish(posts->loop, &post->done);
  begin_waiting(posts);
}

static void fail(struct cnk_post *post, CURLcode code)
{
  struct cnk_http_failure *failure = &post->failure;
  const struct cnk_transport *connection = post->connection;
  if (connection && !failure->message[0])
    snprintf(failure->message, sizeof failure->message, "%s", connection->message);
  if (connection && connection->is_used && failure->has_written && post->reply.head_seen == 0)
    failure->verdict = CNK_HTTP_IS_RESENT;
  cnk_http_explain(failure, code);
  settle(post, false);
}

static void fail_for(struct cnk_post *post, enum cnk_reply_state state)
{
  post->failure.verdict = state == CNK_REPLY_TOO_LARGE       ? CNK_HTTP_IS_TOO_LARGE
                          : state == CNK_REPLY_OUT_OF_MEMORY ? CNK_HTTP_OUT_OF_MEMORY
                                                             : CNK_HTTP_NO_VERDICT;
  cnk_http_explain(&post->failure, CURLE_WEIRD_SERVER_REPLY);
  settle(post, false);
}

/* The connection has ended before the answer had. */
static void fail_cut(struct cnk_post *post)
{
  const struct cnk_reply *reply = &post->reply;
  char *message = post->failure.message;
  size_t room = sizeof post->failure.message;
  if (reply->at == CNK_REPLY_AT_BODY)
    snprintf(message, room, "transfer closed with %zu bytes remaining to read", (size_t)reply->left);
  else if (reply->head_seen > 0)
    snprintf(message, room, "transfer closed with outstanding read data remaining");
  else
    snprintf(message, room, "Empty reply from server");
  fail(post, reply->head_seen > 0 ? CURLE_PARTIAL_FILE : CURLE_GOT_NOTHING);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

/* True when the answer is whole, or can no longer come. */
static bool take_answer(struct cnk_post *post, size_t size)
{
  size_t used = 0;
  enum cnk_reply_state state = cnk_reply_feed(&post->reply, post->posts->piece, size, &used);
  if (state == CNK_REPLY_MORE)
    return false;
  bool is_written = post->written == post->out.size;
  if (state == CNK_REPLY_DONE)
    settle(post, post->reply.keeps_connection && is_written && used == size);
  else
    fail_for(post, state);
  return true;
}

/* Reads what there is. Without TLS a piece that is not full was the last one for now, and libuv tells of the next. True when the
 * request is over. */
static bool receive(struct cnk_post *post)
{
  for (;;) {
    size_t size = 0;
    CURLcode code = cnk_transport_receive(post->connection, &size);
    if (code == CURLE_AGAIN)
      return false;
    if (code == CURLE_OK && size > 0) {
      if (take_answer(post, size))
        return true;
      if (size < CNK_POST_PIECE && !post->route->is_secure)
        return false;
      continue;
    }
    if (code != CURLE_OK)
      fail(post, code);
    else if (cnk_reply_may_end(&post->reply))
      settle(post, false);
    else
      fail_cut(post);
    return true;
  }
}

static void begin_anew(struct cnk_post *post)
{
  struct cnk_posts *posts = post->posts;
  post->connection = cnk_transport_open(posts, post);
  if (post->connection) {
    cnk_timer_start(&post->connect_timer, posts->loop->clock, (double)post->connect_timeout_ms / 1000.0);
    return;
  }
  post->failure.verdict = CNK_HTTP_OUT_OF_MEMORY;
  fail(post, CURLE_OUT_OF_MEMORY);
}

/* A kept connection that took nothing has ended before, so the server knows nothing of the request. When bytes were taken, its
 * answer may be there, before the end. */
static void fail_to_write(struct cnk_post *post, CURLcode code)
{
  if (!post->failure.has_written && post->connection->is_used && !post->is_repeated) {
    post->is_repeated = true;
    leave(post, false);
    begin_anew(post);
  } else if (!post->failure.has_written || !receive(post)) {
    fail(post, code);
  }
}

static void write_on(struct cnk_post *post)
{
  while (post->written < post->out.size) {
    size_t taken = 0;
    CURLcode code =
        cnk_transport_send(post->connection, post->out.data + post->written, post->out.size - post->written, &taken);
    post->failure.has_written = post->failure.has_written || code == CURLE_OK || code == CURLE_AGAIN;
    post->written += taken;
    if (code == CURLE_AGAIN) {
      cnk_transport_wants_room(post->connection, true);
      return;
    }
    if (code != CURLE_OK) {
      fail_to_write(post, code);
      return;
    }
  }
  cnk_transport_wants_room(post->connection, false);
}

static void on_connected(struct cnk_post *post, CURLcode code)
{
  cnk_timer_stop(&post->connect_timer);
  if (code == CURLE_OK)
    write_on(post);
  else
    fail(post, code);
}

/* Reads first: what the server says early, such as that the request is too large, ends it. */
static void on_ready(struct cnk_post *post, int events)
{
  if (events & UV_READABLE && receive(post))
    return;
  if (events & UV_WRITABLE)
    write_on(post);
}

/* ---- the beginning ----------------------------------------------------------------------------------------------- */

/* False when there is no connection for it. */
static bool begin(struct cnk_post *post)
{
  post->connection = cnk_transport_take(post->route);
  if (post->connection) {
    post->connection->post = post;
    write_on(post);
    return true;
  }
  if (!cnk_transport_has_room(post->posts))
    return false;
  begin_anew(post);
  return true;
}

static void begin_waiting(struct cnk_posts *posts)
{
  for (struct cnk_link *link; (link = cnk_list_take(&posts->waiting));) {
    cnk_list_add(&posts->live, link);
    if (begin(of(link)))
      continue;
    cnk_list_remove(link);
    cnk_list_add_first(&posts->waiting, link);
    return;
  }
}

static void on_timeout(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_post *post = CNK_OWNER(timer, struct cnk_post, timer);
  if (post->connection)
    cnk_http_fail_in_time(&post->failure, post->timeout_ms, post->reply.body.size);
  else
    cnk_http_fail_in_queue(&post->failure);
  settle(post, false);
}

static void on_connect_timeout(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_post *post = CNK_OWNER(timer, struct cnk_post, connect_timer);
  cnk_http_fail_to_connect(&post->failure, post->connect_timeout_ms);
  settle(post, false);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_post *post = CNK_OWNER(done, struct cnk_post, done);
  const struct cnk_reply *reply = &post->reply;
  struct cnk_http_event event = {
      .what = post->failure.has_failed ? CNK_HTTP_FAILURE : CNK_HTTP_ANSWER,
      .status = reply->status,
      .head = {reply->head.data, reply->head.size},
      .body = {reply->body.data, reply->body.size},
      .kind = post->failure.kind,
      .message = post->failure.message,
      .is_sent = post->failure.has_written,
  };
  post->on_event(post->slot, &event, context);
}

static bool write_request(struct cnk_post *post, const struct cnk_endpoint *endpoint, struct cnk_text body)
{
  struct cnk_buffer *out = &post->out;
  char digits[24];
  size_t at = sizeof digits, number = body.size;
  out->size = 0;
  do
    digits[--at] = (char)('0' + number % 10);
  while (number /= 10);
  return cnk_buffer_add(out, endpoint->head.data, endpoint->head.size) &&
         cnk_buffer_add(out, digits + at, sizeof digits - at) && cnk_buffer_add(out, "\r\n\r\n", 4) &&
         cnk_buffer_add(out, body.data, body.size);
}

static void reset(struct cnk_post *post, const struct cnk_endpoint *endpoint)
{
  post->posts = endpoint->posts;
  post->route = endpoint->route;
  post->route->users++;
  post->done = (struct cnk_done){.deliver = deliver};
  post->timer.fire = on_timeout;
  post->connect_timer.fire = on_connect_timeout;
  post->timeout_ms = endpoint->timeout_ms;
  post->connect_timeout_ms = endpoint->connect_timeout_ms;
  post->written = 0;
  cnk_reply_begin(&post->reply, CNK_HTTP_MOST_HEAD, endpoint->max_bytes);
  post->failure.has_failed = post->failure.has_written = false;
  post->failure.verdict = CNK_HTTP_NO_VERDICT;
  post->failure.message[0] = '\0';
  post->is_repeated = post->is_over = false;
}

static void free_post(struct cnk_post *post)
{
  free(post->out.data);
  free(post->reply.head.data);
  free(post->reply.body.data);
  free(post);
}

bool cnk_post_start(struct cnk_endpoint *endpoint, struct cnk_text body, cnk_post_event_fn *on_event,
                    struct cnk_post **slot)
{
  struct cnk_posts *posts = endpoint->posts;
  struct cnk_link *spare = cnk_list_take(&posts->spare);
  struct cnk_post *post = spare ? of(spare) : calloc(1, sizeof *post);
  posts->spare_count -= spare != NULL;
  if (!post)
    return false;
  if (!write_request(post, endpoint, body)) {
    free_post(post);
    return false;
  }
  reset(post, endpoint);
  post->on_event = on_event;
  post->slot = slot;
  *slot = post;
  posts->loop->counts.requests++;
  if (posts->active++ == 0)
    uv_check_start(&posts->keeper, on_keeper);
  if (post->timeout_ms > 0)
    cnk_timer_start(&post->timer, posts->loop->clock, (double)post->timeout_ms / 1000.0);
  cnk_list_add(&posts->waiting, &post->link);
  begin_waiting(posts);
  return true;
}

/* ---- the event was used, or nobody wants it ---------------------------------------------------------------------- */

static void let_go(struct cnk_post *post)
{
  struct cnk_posts *posts = post->posts;
  cnk_timer_stop(&post->timer);
  cnk_timer_stop(&post->connect_timer);
  cnk_loop_forget(&post->done);
  *post->slot = NULL;
  posts->loop->counts.requests--;
  cnk_list_remove(&post->link);
  cnk_route_release(post->route);
}

void cnk_post_taken(struct cnk_post *post)
{
  struct cnk_posts *posts = post->posts;
  let_go(post);
  if (posts->spare_count >= MOST_SPARE) {
    free_post(post);
    return;
  }
  cnk_buffer_reset(&post->out, KEPT_ROOM);
  cnk_buffer_reset(&post->reply.head, KEPT_ROOM);
  cnk_buffer_reset(&post->reply.body, KEPT_ROOM);
  cnk_list_add_first(&posts->spare, &post->link);
  posts->spare_count++;
}

void cnk_post_cancel(struct cnk_post *post)
{
  cnk_http_fail(&post->failure, CNK_HTTP_CANCELLED, "cancelled");
  settle(post, false);
}

/* ---- all of a loop ----------------------------------------------------------------------------------------------- */

static void free_all(struct cnk_list *list)
{
  for (struct cnk_link *link; (link = cnk_list_take(list));) {
    leave(of(link), false);
    let_go(of(link));
    free_post(of(link));
  }
}

static void shut(struct cnk_resource *resource)
{
  struct cnk_posts *posts = CNK_OWNER(resource, struct cnk_posts, resource);
  free_all(&posts->waiting);
  free_all(&posts->live);
  for (struct cnk_link *link; (link = cnk_list_take(&posts->spare));)
    free_post(of(link));
  cnk_transport_close_idle(posts);
  cnk_endpoint_close_all(posts);
  cnk_timer_stop(&posts->sweep);
  curl_share_cleanup(posts->share);
  uv_close((uv_handle_t *)&posts->keeper, on_keeper_closed);
}

struct cnk_posts *cnk_posts_new(struct cnk_loop *loop)
{
  struct cnk_posts *posts = calloc(1, sizeof *posts);
  CURLSH *share = posts ? curl_share_init() : NULL;
  if (!share) {
    free(posts);
    return NULL;
  }
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  posts->share = share;
  posts->loop = loop;
  cnk_list_init(&posts->waiting);
  cnk_list_init(&posts->live);
  cnk_list_init(&posts->spare);
  cnk_list_init(&posts->endpoints);
  cnk_list_init(&posts->routes);
  cnk_list_init(&posts->carriers);
  cnk_list_init(&posts->idle);
  uv_check_init(&loop->uv, &posts->keeper);
  posts->keeper.data = posts;
  posts->open_handles = 1;
  posts->on_connected = on_connected;
  posts->on_ready = on_ready;
  posts->resource.shut = shut;
  cnk_loop_own(loop, &posts->resource);
  return posts;
}
