/* SPDX-License-Identifier: MIT */
/* Why a request has no answer: the kinds and sentences that both ways to send share. */
#ifndef CNK_HTTP_FAILURE_H
#define CNK_HTTP_FAILURE_H

#include <curl/curl.h>

#include "http/out/client.h"

/* What libcurl's code does not say. */
enum cnk_http_verdict { CNK_HTTP_NO_VERDICT, CNK_HTTP_IS_TOO_LARGE, CNK_HTTP_IS_RESENT, CNK_HTTP_OUT_OF_MEMORY };

struct cnk_http_failure {
  bool has_failed;
  bool has_written; /* some of the request may have been written */
  enum cnk_http_verdict verdict;
  enum cnk_http_kind kind;
  char message[CURL_ERROR_SIZE]; /* libcurl writes here too */
};

/* Of a transfer that ended with `code`. The message may hold what libcurl said. */
void cnk_http_explain(struct cnk_http_failure *failure, CURLcode code);

/* One that is ours. */
void cnk_http_fail(struct cnk_http_failure *failure, enum cnk_http_kind kind, const char *message);

/* The whole request took too long: while it waited for others, or with so many bytes of the answer's body. */
void cnk_http_fail_in_queue(struct cnk_http_failure *failure);
void cnk_http_fail_in_time(struct cnk_http_failure *failure, long timeout_ms, size_t body_seen);

/* There was no connection in time. */
void cnk_http_fail_to_connect(struct cnk_http_failure *failure, long timeout_ms);

#endif
