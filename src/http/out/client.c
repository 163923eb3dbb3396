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
  cnk_timer_stop(&request->timer);
  cnk_loop_finish(request->loop, &request->done);
}

static void end_transfer(struct cnk_http_request *request)
{
  if (!request->is_active)
    return;
  request->is_active = false;
  cnk_timer_stop(&request->connect_timer);
  cnk_timer_stop(&request->pace_timer);
  if (!request->is_stream)
    request->client->active--;
  cnk_multi_remove(&request->client->multi, request->easy);
}

static CURLcode set_share_and_body(struct cnk_http_request *request)
{
  long share_ms = cnk_http_connect_share_ms(request->loop, &request->timer, request->connect_timeout_ms);
  CURLcode code = curl_easy_setopt(request->easy, CURLOPT_CONNECTTIMEOUT_MS, share_ms);
  if (code == CURLE_OK && request->has_body)
    code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
  if (code == CURLE_OK && request->has_body)
    code = curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body.data ? request->body.data : "");
  return code;
}

/* Gives a live request to libcurl; a failure settles it. */
static void begin(struct cnk_http_request *request)
{
  CURLcode code = cnk_http_renew(request) ? set_share_and_body(request) : CURLE_OUT_OF_MEMORY;
  if (code == CURLE_OK && !cnk_multi_add(&request->client->multi, request->easy))
    code = CURLE_OUT_OF_MEMORY;
  if (code != CURLE_OK) {
    cnk_http_explain(&request->failure, code);
    settle(request);
    return;
  }
  request->is_active = true;
  if (!request->is_stream)
    request->client->active++;
  cnk_timer_start(&request->connect_timer, request->loop->clock, (double)request->connect_timeout_ms / 1000.0);
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
    request->key.size = 0; /* a failure leaves a state in the handle that is not documented: it is prepared anew */
    cnk_http_explain(&request->failure, code);
  }
  settle(request);
}

static void on_over(struct cnk_multi *multi, CURL *easy, CURLcode code)
{
  struct cnk_http_client *client = CNK_OWNER(multi, struct cnk_http_client, multi);
  char *request = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
  end_with((struct cnk_http_request *)request, code);
  begin_waiting(client);
}

/* ---- timeouts ---------------------------------------------------------------------------------------------------- */

/* Timers fire outside libcurl, so a transfer may be ended on the spot. */
static void end_failed(struct cnk_http_request *request)
{
  struct cnk_http_client *client = request->client;
  cnk_list_remove(&request->link);
  cnk_list_add(&client->live, &request->link);
  end_transfer(request);
  request->key.size = 0;
  settle(request);
  begin_waiting(client);
}

static void on_timeout(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_http_request *request = CNK_OWNER(timer, struct cnk_http_request, timer);
  if (request->is_active)
    cnk_http_fail_in_time(&request->failure, request->timeout_ms, request->body_seen);
  else
    cnk_http_fail_in_queue(&request->failure);
  end_failed(request);
}

static void on_connect_timeout(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_http_request *request = CNK_OWNER(timer, struct cnk_http_request, connect_timer);
  cnk_http_fail_to_connect(&request->failure, request->connect_timeout_ms);
  end_failed(request);
}

static void on_window_end(struct cnk_timer *timer, void *context)
{
  (void)context;
  struct cnk_http_request *request = CNK_OWNER(timer, struct cnk_http_request, pace_timer);
  if (!cnk_http_pace_check(request))
    end_failed(request);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* Chooses the event that is due now; false when none is. */
static bool choose(const struct cnk_http_request *request, enum cnk_http_what *what)
{
  enum cnk_http_what end = request->failure.has_failed ? CNK_HTTP_FAILURE : CNK_HTTP_END;
  if (!request->is_stream) {
    *what = request->failure.has_failed ? CNK_HTTP_FAILURE : CNK_HTTP_ANSWER;
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
  event.kind = request->failure.kind;
  event.message = request->failure.message;
  event.is_sent = request->failure.has_written;
  request->is_head_told = request->is_head_told || event.what == CNK_HTTP_HEAD;
  request->is_reading = false;
  request->in_hand = event.what;
  cnk_http_pace_hold(request); /* until the stream is read on */
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
  else
    cnk_http_pace_go(request);
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
    cnk_http_fail(&request->failure, CNK_HTTP_CANCELLED, "cancelled");
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
  request->min_speed = options->min_speed;
  request->timeout_ms = options->timeout_ms;
  request->connect_timeout_ms = cnk_http_connect_timeout_ms(options);
  request->timer.fire = on_timeout;
  request->connect_timer.fire = on_connect_timeout;
  request->pace_timer.fire = on_window_end;
  request->redirects_left = options->max_redirects;
  request->is_stream = options->is_stream;
  request->is_repeatable = cnk_http_is_repeatable(options);
  request->has_body = cnk_http_has_body(options);
  request->is_plain = has_verb && !options->body.data;
  request->head_seen = 0;
  request->failure.verdict = CNK_HTTP_NO_VERDICT;
  request->is_active = request->is_over = request->is_paused = false;
  request->is_head_told = request->is_reading = false;
  request->failure.has_failed = request->failure.has_written = false;
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
  if (options->timeout_ms > 0)
    cnk_timer_start(&request->timer, client->loop->clock, (double)options->timeout_ms / 1000.0);
  CURLcode code = problem ? CURLE_OK : ready_handle(request, options);
  if (!problem && code == CURLE_OK && !options->is_stream && client->active >= CNK_HTTP_MOST_ACTIVE) {
    cnk_list_add(&client->waiting, &request->link);
    return true;
  }
  cnk_list_add(&client->live, &request->link);
  if (!problem && code == CURLE_OK) {
    begin(request);
    return true;
  }
  if (problem)
    cnk_http_fail(&request->failure, CNK_HTTP_INVALID, problem);
  else
    cnk_http_explain(&request->failure, code);
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

static void on_multi_closed(struct cnk_multi *multi)
{
  struct cnk_http_client *client = CNK_OWNER(multi, struct cnk_http_client, multi);
  free(client->key.data);
  free(client);
}

static void shut(struct cnk_resource *resource)
{
  struct cnk_http_client *client = CNK_OWNER(resource, struct cnk_http_client, resource);
  free_all(client, &client->waiting);
  free_all(client, &client->live);
  free_all(client, &client->idle);
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
  client->resource.shut = shut;
  cnk_loop_own(loop, &client->resource);
  return client;
}
