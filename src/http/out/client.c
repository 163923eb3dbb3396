/* SPDX-License-Identifier: MIT */
/* The life of requests; see client.h. */
#include <stdlib.h>
#include <string.h>

#include "http/out/request.h"

/* ---- transfers --------------------------------------------------------------------------------------------------- */

/* Ends a request that needs no transfer any more, for good. */
static void settle(struct cnk_http_request *request)
{
  request->is_over = true;
  cnk_loop_finish(request->loop, &request->done);
}

static void end_transfer(struct cnk_http_request *request)
{
  if (!request->is_active)
    return;
  request->is_active = false;
  if (!request->is_stream)
    request->client->active--;
  cnk_multi_remove(&request->client->multi, request->easy);
}

static CURLcode set_deadline_and_body(struct cnk_http_request *request)
{
  long left_ms = 0;
  if (request->deadline > 0) {
    double left = request->deadline - cnk_clock_monotonic();
    if (left <= 0)
      return CURLE_OPERATION_TIMEDOUT;
    left_ms = (long)(left * 1000.0) + 1;
  }
  CURLcode code = curl_easy_setopt(request->easy, CURLOPT_TIMEOUT_MS, left_ms);
  if (code == CURLE_OK && request->has_body)
    code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
  if (code == CURLE_OK && request->has_body)
    code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body.data ? request->body.data : "");
  return code;
}

/* Hands a live request to libcurl; a failure settles it. */
static void begin(struct cnk_http_request *request)
{
  CURLcode code = set_deadline_and_body(request);
  if (code == CURLE_OK && !cnk_multi_add(&request->client->multi, request->easy))
    code = CURLE_OUT_OF_MEMORY;
  if (code != CURLE_OK) {
    cnk_http_explain(request, code);
    settle(request);
    return;
  }
  request->is_active = true;
  if (!request->is_stream)
    request->client->active++;
}

static void begin_waiting(struct cnk_http_client *client)
{
  struct cnk_link *link;
  while (client->active < CNK_HTTP_MOST_ACTIVE && (link = cnk_list_take(&client->waiting))) {
    cnk_list_add(&client->live, link);
    begin(cnk_http_of(link));
  }
}

static void end_with(struct cnk_http_request *request, CURLcode code)
{
  end_transfer(request);
  if (code == CURLE_OK && request->redirect) {
    code = cnk_http_go_on(request);
    cnk_http_forget_answer(request);
    if (code == CURLE_OK) {
      begin(request);
      return;
    }
  }
  if (code == CURLE_OK && !request->is_head_over)
    code = CURLE_GOT_NOTHING;
  if (code != CURLE_OK) {
    request->key.size = 0; /* what a failure leaves in a handle is libcurl's own business: begin with a clean one */
    cnk_http_explain(request, code);
  }
  settle(request);
}

static void on_over(struct cnk_multi *multi, CURL *easy, CURLcode code)
{
  struct cnk_http_client *client = (struct cnk_http_client *)multi; /* its first member */
  char *request = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
  end_with((struct cnk_http_request *)request, code);
  begin_waiting(client);
}

/* ---- those that wait their turn ---------------------------------------------------------------------------------- */

static void watch_queue(struct cnk_http_client *client);

static void on_queue_timer(uv_timer_t *timer)
{
  struct cnk_http_client *client = timer->data;
  double now = cnk_clock_monotonic();
  for (struct cnk_link *at = client->waiting.ring.next, *next; at != &client->waiting.ring; at = next) {
    struct cnk_http_request *request = cnk_http_of(at);
    next = at->next;
    if (request->deadline == 0 || request->deadline > now)
      continue;
    cnk_list_remove(&request->link);
    cnk_list_add(&client->live, &request->link);
    cnk_http_fail(request, CNK_HTTP_TIMEOUT, "timed out while other requests were under way");
    settle(request);
  }
  watch_queue(client);
}

static void watch_queue(struct cnk_http_client *client)
{
  double first = 0;
  CNK_LIST_EACH (link, &client->waiting) {
    double deadline = cnk_http_of(link)->deadline;
    if (deadline > 0 && (first == 0 || deadline < first))
      first = deadline;
  }
  if (first == 0)
    return;
  double left = first - cnk_clock_monotonic();
  uv_update_time(&client->loop->uv);
  uv_timer_start(&client->queue_timer, on_queue_timer, left > 0 ? (uint64_t)(left * 1000.0) + 1 : 1, 0);
}

static void wait_for_turn(struct cnk_http_request *request)
{
  struct cnk_http_client *client = request->client;
  cnk_list_add(&client->waiting, &request->link);
  if (request->deadline == 0)
    return;
  /* The timer may stand for somebody who waits no longer; it looks again when it fires. */
  double left_ms = (request->deadline - cnk_clock_monotonic()) * 1000.0 + 1.0;
  uv_update_time(&client->loop->uv);
  if (!uv_is_active((uv_handle_t *)&client->queue_timer) || (double)uv_timer_get_due_in(&client->queue_timer) > left_ms)
    uv_timer_start(&client->queue_timer, on_queue_timer, left_ms > 1 ? (uint64_t)left_ms : 1, 0);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* What there is to tell now; false when nothing. */
static bool choose(const struct cnk_http_request *request, enum cnk_http_what *what)
{
  enum cnk_http_what end = request->has_failed ? CNK_HTTP_FAILURE : CNK_HTTP_END;
  if (!request->is_stream) {
    *what = request->has_failed ? CNK_HTTP_FAILURE : CNK_HTTP_ANSWER;
    return request->is_over;
  }
  if (!request->is_head_told) {
    bool is_head = request->is_head_over && !request->redirect;
    *what = is_head ? CNK_HTTP_HEAD : CNK_HTTP_FAILURE;
    return is_head || request->is_over;
  }
  *what = request->answer.size > 0 ? CNK_HTTP_CHUNK : end;
  return request->is_reading && (request->answer.size > 0 || request->is_over);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_http_request *request = CNK_OWNER(done, struct cnk_http_request, done);
  struct cnk_http_event event = {0};
  if (!choose(request, &event.what))
    return;
  event.status = request->status;
  event.head = (struct cnk_text){request->head.data, request->head.size};
  event.body = (struct cnk_text){request->answer.data, request->answer.size};
  event.kind = request->kind;
  event.message = request->message;
  event.is_sent = request->is_sent;
  request->is_head_told = request->is_head_told || event.what == CNK_HTTP_HEAD;
  request->is_reading = false;
  request->in_hand = event.what;
  request->on_event(request->slot, &event, context);
}

void cnk_http_taken(struct cnk_http_request *request)
{
  if (request->in_hand != CNK_HTTP_HEAD && request->in_hand != CNK_HTTP_CHUNK) {
    cnk_http_recycle(request);
    return;
  }
  if (request->in_hand == CNK_HTTP_CHUNK)
    request->answer.size = 0;
  if (!request->is_paused || !request->is_active)
    return;
  request->is_paused = false;
  CURLcode code = curl_easy_pause(request->easy, CURLPAUSE_CONT); /* may give more, and pause again */
  if (code != CURLE_OK) {
    end_with(request, code);
    begin_waiting(request->client);
  }
}

bool cnk_http_read(struct cnk_http_request *request)
{
  if (request->is_reading || !request->is_head_told)
    return false;
  request->is_reading = true;
  if (request->answer.size > 0 || request->is_over)
    cnk_loop_finish(request->loop, &request->done);
  return true;
}

void cnk_http_cancel(struct cnk_http_request *request)
{
  struct cnk_http_client *client = request->client;
  bool is_due = !request->is_stream || !request->is_head_told || request->is_reading;
  end_transfer(request);
  if (is_due) {
    cnk_list_remove(&request->link); /* it may have been waiting */
    cnk_list_add(&client->live, &request->link);
    cnk_http_fail(request, CNK_HTTP_CANCELLED, "cancelled");
    request->answer.size = 0;
    request->is_head_over = false;
    settle(request);
  } else {
    cnk_http_recycle(request);
  }
  begin_waiting(client);
}

/* ---- start and end ----------------------------------------------------------------------------------------------- */

/* Everything that the last request on this handle left behind, but the handle itself. */
static void reset(struct cnk_http_request *request, const struct cnk_http_options *options)
{
  bool has_verb = strcmp(options->method.data, "GET") == 0 || strcmp(options->method.data, "HEAD") == 0;
  cnk_http_forget_answer(request);
  request->done = (struct cnk_done){.deliver = deliver};
  request->body = options->body;
  request->max_bytes = options->max_bytes;
  request->deadline = options->timeout_ms > 0 ? cnk_clock_monotonic() + (double)options->timeout_ms / 1000.0 : 0;
  request->redirects_left = options->max_redirects;
  request->is_stream = options->is_stream;
  request->is_repeatable = cnk_http_is_repeatable(options);
  request->has_body = cnk_http_has_body(options);
  request->is_plain = has_verb && !options->body.data;
  request->head_seen = 0;
  request->has_written = false;
  request->verdict = CNK_HTTP_NO_VERDICT;
  request->is_active = request->is_over = request->is_paused = false;
  request->is_head_told = request->is_reading = false;
  request->has_failed = request->is_sent = false;
}

static CURLcode ready_handle(struct cnk_http_request *request, const struct cnk_http_options *options)
{
  struct cnk_http_client *client = request->client;
  if (request->key.size == client->key.size && memcmp(request->key.data, client->key.data, client->key.size) == 0)
    return CURLE_OK;
  request->key.size = 0;
  CURLcode code = cnk_http_prepare(request, &client->multi, options);
  if (code == CURLE_OK && !cnk_buffer_add(&request->key, client->key.data, client->key.size))
    code = CURLE_OUT_OF_MEMORY;
  return code;
}

bool cnk_http_start(struct cnk_http_client *client, const struct cnk_http_options *options, cnk_http_event_fn *on_event,
                    struct cnk_http_request **slot)
{
  const char *problem = cnk_http_check(options);
  if (!cnk_http_make_key(&client->key, options))
    return false;
  struct cnk_http_request *request = cnk_http_find(client);
  if (!request)
    return false;
  reset(request, options);
  request->on_event = on_event;
  request->slot = slot;
  *slot = request;
  client->loop->counts.requests++;
  CURLcode code = problem ? CURLE_OK : ready_handle(request, options);
  if (!problem && code == CURLE_OK && !options->is_stream && client->active >= CNK_HTTP_MOST_ACTIVE) {
    wait_for_turn(request);
    return true;
  }
  cnk_list_add(&client->live, &request->link);
  if (!problem && code == CURLE_OK) {
    begin(request);
    return true;
  }
  if (problem)
    cnk_http_fail(request, CNK_HTTP_INVALID, problem);
  else
    cnk_http_explain(request, code);
  settle(request);
  return true;
}

static void free_all(struct cnk_http_client *client, struct cnk_list *list)
{
  for (struct cnk_link *link; (link = cnk_list_take(list));) {
    struct cnk_http_request *request = cnk_http_of(link);
    end_transfer(request);
    cnk_loop_forget(&request->done);
    if (request->slot) {
      *request->slot = NULL;
      client->loop->counts.requests--;
    }
    cnk_http_free(request);
  }
}

static void on_part_closed(struct cnk_http_client *client)
{
  if (--client->closing > 0)
    return;
  free(client->key.data);
  free(client);
}

static void on_multi_closed(struct cnk_multi *multi)
{
  on_part_closed((struct cnk_http_client *)multi);
}

static void on_timer_closed(uv_handle_t *timer)
{
  on_part_closed(timer->data);
}

static void shut(struct cnk_resource *resource)
{
  struct cnk_http_client *client = CNK_OWNER(resource, struct cnk_http_client, resource);
  free_all(client, &client->waiting);
  free_all(client, &client->live);
  free_all(client, &client->idle);
  client->closing = 2;
  uv_close((uv_handle_t *)&client->queue_timer, on_timer_closed);
  cnk_multi_deinit(&client->multi);
}

struct cnk_http_client *cnk_http_client_new(struct cnk_loop *loop)
{
  struct cnk_http_client *client = calloc(1, sizeof *client);
  if (!client)
    return NULL;
  client->multi.on_over = on_over;
  client->multi.on_closed = on_multi_closed;
  if (!cnk_multi_init(&client->multi, loop)) {
    free(client);
    return NULL;
  }
  client->loop = loop;
  cnk_list_init(&client->waiting);
  cnk_list_init(&client->live);
  cnk_list_init(&client->idle);
  uv_timer_init(&loop->uv, &client->queue_timer);
  uv_unref((uv_handle_t *)&client->queue_timer); /* somebody is being served while others wait */
  client->queue_timer.data = client;
  client->resource.shut = shut;
  cnk_loop_own(loop, &client->resource);
  return client;
}
