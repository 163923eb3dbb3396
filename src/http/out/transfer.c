/* SPDX-License-Identifier: MIT */
/* libcurl's callbacks of one transfer. They record, and never run user code. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/out/request.h"

/* Any value that is not the size given makes libcurl end the transfer. */
static size_t refuse(struct cnk_http_request *request, enum cnk_http_verdict verdict)
{
  request->failure.verdict = verdict;
  return 0;
}

/* Called on a connection that stands, before each writing of the request. libcurl writes a request again, without being
 * asked, when a reused connection ends before the first byte of the answer. The server may have acted upon the first
 * one, so that a customer would get a message twice: the second is refused here, before a byte is written. */
static int before_writing(void *user, char *peer, char *local, int peer_port, int local_port)
{
  (void)peer;
  (void)local;
  (void)peer_port;
  (void)local_port;
  struct cnk_http_request *request = user;
  cnk_timer_stop(&request->connect_timer);
  if (request->failure
          .has_written) /* libcurl gives up after five repetitions, and counts over all transfers of a handle */
    request->key.size = 0;
  if (request->failure.has_written && !request->is_repeatable) {
    request->failure.verdict = CNK_HTTP_IS_RESENT;
    return CURL_PREREQFUNC_ABORT;
  }
  request->failure.has_written = true;
  cnk_http_pace_begin(request);
  return CURL_PREREQFUNC_OK;
}

static void on_head_end(struct cnk_http_request *request)
{
  long status = 0;
  curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200) { /* "100 Continue" and the like come before the answer */
    request->head.size = 0;
    return;
  }
  request->status = (int)status;
  request->is_head_over = true;
  if (!cnk_http_is_redirected(request) && request->is_stream)
    cnk_loop_finish(request->loop, &request->done);
}

static size_t on_header(char *data, size_t one, size_t size, void *user)
{
  (void)one;
  struct cnk_http_request *request = user;
  request->head_seen += size;
  if (request->head_seen > CNK_HTTP_MOST_HEAD)
    return refuse(request, CNK_HTTP_IS_TOO_LARGE);
  if (request->is_head_over) /* a trailer */
    return size;
  if (size >= 5 && strncasecmp(data, "HTTP/", 5) == 0)
    request->head.size = 0;
  if (!cnk_buffer_add(&request->head, data, size))
    return refuse(request, CNK_HTTP_OUT_OF_MEMORY);
  if (data[0] == '\r' || data[0] == '\n')
    on_head_end(request);
  return size;
}

/* Before the first byte of a body whose length is known: refuses early, and allocates once. */
static bool expect_body(struct cnk_http_request *request, size_t size)
{
  curl_off_t length = -1;
  curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length > 0 && (uint64_t)length > request->max_bytes) {
    request->failure.verdict = CNK_HTTP_IS_TOO_LARGE;
    return false;
  }
  if (length > (curl_off_t)size && !request->is_stream && !cnk_buffer_reserve(&request->answer, (size_t)length)) {
    request->failure.verdict = CNK_HTTP_OUT_OF_MEMORY;
    return false;
  }
  return true;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
  (void)one;
  struct cnk_http_request *request = user;
  if (request->is_stream && !request->redirect && request->answer.size >= CNK_HTTP_STREAM_ROOM) {
    request->is_paused = true;
    return CURL_WRITEFUNC_PAUSE; /* libcurl gives the same bytes again */
  }
  if (size > request->max_bytes - request->body_seen)
    return refuse(request, CNK_HTTP_IS_TOO_LARGE);
  if (request->body_seen == 0 && !expect_body(request, size))
    return 0;
  request->body_seen += size;
  if (request->redirect) /* the body of a redirect is discarded */
    return size;
  if (!cnk_buffer_add(&request->answer, data, size))
    return refuse(request, CNK_HTTP_OUT_OF_MEMORY);
  if (request->is_reading)
    cnk_loop_finish(request->loop, &request->done);
  return size;
}

CURLcode cnk_http_hook(struct cnk_http_request *request)
{
  CURL *easy = request->easy;
  CURLcode code = CURLE_OK;
#define SET(option, value) (code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code)
  SET(CURLOPT_PREREQFUNCTION, before_writing);
  SET(CURLOPT_PREREQDATA, request);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, request);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, request);
  SET(CURLOPT_ERRORBUFFER, request->failure.message);
  SET(CURLOPT_PRIVATE, request);
#undef SET
  return code;
}

void cnk_http_forget_answer(struct cnk_http_request *request)
{
  request->head.size = request->answer.size = 0;
  request->body_seen = 0;
  request->status = 0;
  request->is_head_over = false;
  request->failure.message[0] = '\0';
  free(request->redirect);
  request->redirect = NULL;
}
