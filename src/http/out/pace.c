/* SPDX-License-Identifier: MIT */
/*
 * The least speed of a transfer. One that trickles would hold its caller until the timeout, or for ever without one.
 *
 * Speed is measured in windows, and only while the transfer itself is what the caller waits for: not while the server
 * prepares its answer, and not while a stream waits for its reader. The time that remains of a window is kept meanwhile,
 * so that many short reads are measured as one long read is.
 */
#include <stdio.h>

#include "http/out/request.h"

static size_t uploaded(const struct cnk_http_request *request)
{
  curl_off_t size = 0;
  if (request->has_body)
    curl_easy_getinfo(request->easy, CURLINFO_SIZE_UPLOAD_T, &size);
  return size > 0 ? (size_t)size : 0;
}

static size_t moved(const struct cnk_http_request *request)
{
  return uploaded(request) + request->head_seen + request->body_seen;
}

/* Whether all was said and nothing has been answered. */
static bool is_answer_awaited(const struct cnk_http_request *request)
{
  return request->head.size == 0 && uploaded(request) >= request->body.size;
}

static void open_window(struct cnk_http_request *request)
{
  request->window_left = CNK_HTTP_SPEED_WINDOW;
  request->window_moved = moved(request);
}

/* True when the window that is over had too few bytes. */
static bool is_too_slow(const struct cnk_http_request *request)
{
  size_t least = request->min_speed * CNK_HTTP_SPEED_WINDOW;
  return !is_answer_awaited(request) && moved(request) - request->window_moved < least;
}

bool cnk_http_pace_check(struct cnk_http_request *request)
{
  if (is_too_slow(request)) {
    char message[CURL_ERROR_SIZE];
    snprintf(message, sizeof message,
             "slower than %zu bytes/s for %d s, with %zu bytes of the answer; try again later, or allow less with "
             "the option min_speed",
             request->min_speed, CNK_HTTP_SPEED_WINDOW, request->body_seen);
    cnk_http_fail(&request->failure, CNK_HTTP_TIMEOUT, message);
    return false;
  }
  open_window(request);
  cnk_http_pace_go(request);
  return true;
}

void cnk_http_pace_begin(struct cnk_http_request *request)
{
  cnk_timer_stop(&request->pace_timer);
  if (request->min_speed == 0)
    return;
  open_window(request);
  cnk_http_pace_go(request);
}

void cnk_http_pace_go(struct cnk_http_request *request)
{
  if (request->min_speed > 0 && request->is_active && !cnk_timer_is_running(&request->pace_timer))
    cnk_timer_start(&request->pace_timer, request->loop->clock, request->window_left);
}

void cnk_http_pace_hold(struct cnk_http_request *request)
{
  struct cnk_timer *timer = &request->pace_timer;
  if (!cnk_timer_is_running(timer))
    return;
  double left = timer->due - cnk_clock_monotonic(timer->clock);
  request->window_left = left > 0 ? left : 0;
  cnk_timer_stop(timer);
}
