/* SPDX-License-Identifier: MIT */
/* From options to a prepared libcurl handle: checks, the key under which a prepared handle is found again, and the settings. */
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "http/framing.h"
#include "http/out/request.h"

/* For a connection, when the caller names no timeout: as libcurl has it. */
#define CONNECT_TIMEOUT_MS 300000

/* Longer header names are a mistake. */
#define MOST_HEADER_NAME 200

static const char *check_header(const struct cnk_text *header)
{
  const char *colon = memchr(header->data, ':', header->size);
  size_t name = colon ? (size_t)(colon - header->data) : 0;
  if (name > MOST_HEADER_NAME || !cnk_framing_is_token(header->data, name))
    return "a header is not of the form \"Name: value\"";
  if (!cnk_framing_is_value(header->data + name, header->size - name))
    return "a header holds a line break or another control character";
  if (cnk_framing_is_length(header->data, name))
    return "Content-Length and Transfer-Encoding follow from the body";
  return NULL;
}

static const char *check_url(const struct cnk_text *url)
{
  size_t scheme = strncasecmp(url->data, "https://", 8) == 0 ? 8 : strncasecmp(url->data, "http://", 7) == 0 ? 7 : 0;
  if (scheme == 0 || url->size <= scheme)
    return "the URL must begin with http:// or https://";
  if (!cnk_framing_is_target(url->data, url->size))
    return "the URL holds a space or a control character";
  return NULL;
}

static bool has_nul(const struct cnk_text *text)
{
  return text->data && memchr(text->data, '\0', text->size);
}

bool cnk_http_is_method(const struct cnk_http_options *options, const char *method)
{
  return strcmp(options->method.data, method) == 0; /* methods know upper and lower case */
}

const char *cnk_http_check(const struct cnk_http_options *options)
{
  if (!cnk_framing_is_token(options->method.data, options->method.size))
    return "the method is not a word";
  if (cnk_http_is_method(options, "CONNECT") || (cnk_http_is_method(options, "HEAD") && options->body.data))
    return "this method cannot be used so";
  if (options->timeout_ms < 0 || options->connect_timeout_ms < 0 || options->max_redirects < 0)
    return "a timeout or limit is negative";
  const char *problem = check_url(&options->url);
  for (size_t i = 0; i < options->header_count && !problem; i++)
    problem = check_header(&options->headers[i]);
  if (!problem && (has_nul(&options->ca_file) || has_nul(&options->proxy) || has_nul(&options->unix_path)))
    problem = "a file name or proxy holds a NUL";
  return problem;
}

bool cnk_http_has_body(const struct cnk_http_options *options)
{
  return options->body.data || cnk_http_is_method(options, "POST") || cnk_http_is_method(options, "PUT") ||
         cnk_http_is_method(options, "PATCH");
}

bool cnk_http_is_repeatable(const struct cnk_http_options *options)
{
  return cnk_http_is_method(options, "GET") || cnk_http_is_method(options, "HEAD") ||
         cnk_http_is_method(options, "OPTIONS");
}

/* HTTP/2 where TLS offers it, but not for what must not be repeated. Servers end an HTTP/2 connection every so many
 * requests (nginx: 1,000) while more are on their way. They say which ones they did not take; libcurl keeps that to
 * itself, so such a request could not be told from one that was lost after it was taken. With HTTP/1.1 the end of a
 * connection is announced in an answer, before anything else is sent. */
static long http_version(const struct cnk_http_options *options)
{
  return cnk_http_is_repeatable(options) ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1;
}

static bool add_text(struct cnk_buffer *key, const struct cnk_text *text)
{
  return (text->size == 0 || cnk_buffer_add(key, text->data, text->size)) && cnk_buffer_add(key, "", 1);
}

/* No text in it holds a NUL, so NULs keep them apart. */
bool cnk_http_make_key(struct cnk_buffer *key, const struct cnk_http_options *options)
{
  char flags = (char)('0' + (options->body.data != NULL) + 2 * (options->ca_file.data != NULL) +
                      4 * (options->proxy.data != NULL) + 8 * (options->unix_path.data != NULL));
  key->size = 0;
  bool is_made = cnk_buffer_add(key, &flags, 1) && add_text(key, &options->method) && add_text(key, &options->url) &&
                 add_text(key, &options->ca_file) && add_text(key, &options->proxy) &&
                 add_text(key, &options->unix_path);
  for (size_t i = 0; i < options->header_count && is_made; i++)
    is_made = add_text(key, &options->headers[i]);
  return is_made;
}

bool cnk_http_is_empty_header(const struct cnk_text *header)
{
  size_t name = (size_t)((const char *)memchr(header->data, ':', header->size) - header->data);
  return strspn(header->data + name + 1, " \t") == header->size - name - 1;
}

/* libcurl reads "Name:" as "leave this header out", and writes "Name;" as an empty one. */
static struct curl_slist *add_header(struct curl_slist *list, const struct cnk_text *header)
{
  if (!cnk_http_is_empty_header(header))
    return curl_slist_append(list, header->data);
  size_t name = (size_t)((const char *)memchr(header->data, ':', header->size) - header->data);
  char line[MOST_HEADER_NAME + 2];
  memcpy(line, header->data, name);
  line[name] = ';';
  line[name + 1] = '\0';
  return curl_slist_append(list, line);
}

static bool make_headers(struct cnk_http_request *request, const struct cnk_http_options *options)
{
  /* No "Expect: 100-continue": it costs a round trip, or a second where a server does not know it. */
  struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *longer = list;
  bool has_type = false;
  for (size_t i = 0; i < options->header_count && longer; i++) {
    longer = add_header(list, &options->headers[i]);
    list = longer ? longer : list;
    has_type = has_type || strncasecmp(options->headers[i].data, "Content-Type:", 13) == 0;
  }
  if (!has_type && longer) { /* libcurl would call any body a web form */
    longer = curl_slist_append(list, "Content-Type:");
    list = longer ? longer : list;
  }
  curl_slist_free_all(request->headers);
  request->headers = list;
  return longer != NULL;
}

static CURLcode set_method(CURL *easy, const struct cnk_http_options *options)
{
  CURLcode code;
  bool has_body = cnk_http_has_body(options);
  if (cnk_http_is_method(options, "HEAD"))
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  code = curl_easy_setopt(easy, has_body ? CURLOPT_POST : CURLOPT_HTTPGET, 1L);
  if (code == CURLE_OK && !cnk_http_is_method(options, has_body ? "POST" : "GET"))
    code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, options->method.data);
  return code;
}

CURLcode cnk_http_set_way(CURL *easy, const struct cnk_http_options *options)
{
  CURLcode code = CURLE_OK;
#define SET(option, value) (code = code == CURLE_OK ? curl_easy_setopt(easy, option, value) : code)
  SET(CURLOPT_URL, options->url.data);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_HTTP_VERSION, http_version(options));
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  SET(CURLOPT_SSL_VERIFYPEER, 1L);
  SET(CURLOPT_SSL_VERIFYHOST, 2L);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_MAXAGE_CONN, CNK_HTTP_MOST_IDLE);
  if (options->ca_file.data)
    SET(CURLOPT_CAINFO, options->ca_file.data);
  if (options->proxy.data || options->unix_path.data) /* a socket of this machine is behind no proxy */
    SET(CURLOPT_PROXY, options->proxy.data ? options->proxy.data : "");
  if (options->unix_path.data)
    SET(CURLOPT_UNIX_SOCKET_PATH, options->unix_path.data);
#undef SET
  return code;
}

long cnk_http_connect_timeout_ms(const struct cnk_http_options *options)
{
  return options->connect_timeout_ms > 0 ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;
}

long cnk_http_connect_share_ms(const struct cnk_loop *loop, const struct cnk_timer *timer, long connect_timeout_ms)
{
  bool has_end = cnk_timer_is_running(timer);
  if (loop->clock->is_virtual || (has_end && timer->clock->is_virtual))
    return INT_MAX;
  double left_ms = has_end ? (timer->due - cnk_clock_monotonic(timer->clock)) * 1000.0 : INT_MAX;
  if (left_ms >= (double)connect_timeout_ms)
    return connect_timeout_ms;
  return left_ms > 1 ? (long)left_ms : 1;
}

CURLcode cnk_http_prepare(struct cnk_http_request *request, struct cnk_multi *multi,
                          const struct cnk_http_options *options)
{
  CURL *easy = request->easy;
  curl_easy_reset(easy);
  if (!make_headers(request, options))
    return CURLE_OUT_OF_MEMORY;
  CURLcode code = cnk_multi_adopt(multi, easy);
  if (code == CURLE_OK)
    code = cnk_http_set_way(easy, options);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);
  if (code == CURLE_OK)
    code = set_method(easy, options);
  return code == CURLE_OK ? cnk_http_hook(request) : code;
}
