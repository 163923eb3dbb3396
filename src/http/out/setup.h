/* SPDX-License-Identifier: MIT */
/* What options must be, and what libcurl is told of them on both ways to send. */
#ifndef CNK_HTTP_SETUP_H
#define CNK_HTTP_SETUP_H

#include <curl/curl.h>

#include "http/out/client.h"

/* Seconds. An idle connection older than this is not used again. Servers close theirs after a minute or so, some after much
 * less; a request that crosses with such a close may or may not have been received, so a new connection is better. */
#define CNK_HTTP_MOST_IDLE 20L

/* Why the options cannot be used, or NULL. The text is static. */
const char *cnk_http_check(const struct cnk_http_options *options);

bool cnk_http_is_method(const struct cnk_http_options *options, const char *method);

/* Whether the request carries a body, be it of no bytes as in an empty POST. */
bool cnk_http_has_body(const struct cnk_http_options *options);

/* Whether the method alone promises that a second sending does no harm. */
bool cnk_http_is_repeatable(const struct cnk_http_options *options);

/* Whether a header has only a name. */
bool cnk_http_is_empty_header(const struct cnk_text *header);

/* The way to the server: URL, TLS, proxy, socket. */
CURLcode cnk_http_set_way(CURL *easy, const struct cnk_http_options *options);

/* For a connection, when the caller names no timeout: as libcurl has it. */
long cnk_http_connect_timeout_ms(const struct cnk_http_options *options);

/* How long libcurl may take to connect, of `connect_timeout_ms` and of what `timer`, that of the whole request, leaves. Our
 * timers end the request anyway, but libcurl divides this time between the addresses of a host, and has to leave one that does
 * not answer early enough for the next. It counts by the system's time: with a virtual clock it gets all the time there is. */
long cnk_http_connect_share_ms(const struct cnk_loop *loop, const struct cnk_timer *timer, long connect_timeout_ms);

#endif
