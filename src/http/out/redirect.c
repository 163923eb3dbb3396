/* SPDX-License-Identifier: MIT */
/*
 * Redirects. libcurl could follow them, but it would give the caller's headers (an API key, say) to whatever host an
 * answer names; so each hop is a transfer of its own here.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/out/request.h"

/* The value of a header of the answer, as a new string; NULL when there is none. */
static char *copy_location(const struct cnk_buffer *head)
{
  static const char name[] = "\nlocation:"; /* the status line comes before, so every field follows a line feed */
  const size_t length = sizeof name - 1;
  for (size_t i = 0; i + length < head->size; i++) {
    if (head->data[i] != '\n' || strncasecmp(head->data + i, name, length) != 0)
      continue;
    const char *from = head->data + i + length, *end = head->data + head->size;
    const char *to = memchr(from, '\n', (size_t)(end - from));
    to = to ? to : end;
    while (from < to && (*from == ' ' || *from == '\t'))
      from++;
    while (to > from && (unsigned char)to[-1] <= ' ')
      to--;
    return strndup(from, (size_t)(to - from));
  }
  return NULL;
}

static bool is_part_equal(CURLU *a, CURLU *b, CURLUPart part)
{
  char *left = NULL, *right = NULL;
  bool is_equal = curl_url_get(a, part, &left, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                  curl_url_get(b, part, &right, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(left, right) == 0;
  curl_free(left);
  curl_free(right);
  return is_equal;
}

/* The URL of the present hop, parsed. */
static CURLU *parse_current(struct cnk_http_request *request)
{
  char *now = NULL;
  CURLU *url = curl_url();
  curl_easy_getinfo(request->easy, CURLINFO_EFFECTIVE_URL, &now);
  if (url && now && curl_url_set(url, CURLUPART_URL, now, 0) == CURLUE_OK)
    return url;
  curl_url_cleanup(url);
  return NULL;
}

/* http stays, or becomes https; never the other way. */
static bool is_allowed(CURLU *from, CURLU *to)
{
  char *scheme = NULL;
  bool is_https = curl_url_get(to, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && strcmp(scheme, "https") == 0;
  bool is_http = scheme && strcmp(scheme, "http") == 0;
  curl_free(scheme);
  return is_https || (is_http && is_part_equal(from, to, CURLUPART_SCHEME));
}

bool cnk_http_is_redirected(struct cnk_http_request *request)
{
  int status = request->status;
  bool is_redirect = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  if (!is_redirect || !request->is_plain || request->redirects_left <= 0)
    return false;
  char *location = copy_location(&request->head), *target = NULL;
  CURLU *from = location ? parse_current(request) : NULL, *to = from ? curl_url_dup(from) : NULL;
  if (to && curl_url_set(to, CURLUPART_URL, location, 0) == CURLUE_OK && is_allowed(from, to) &&
      curl_url_get(to, CURLUPART_URL, &target, 0) == CURLUE_OK)
    request->redirect = strdup(target);
  curl_free(target);
  curl_url_cleanup(from);
  curl_url_cleanup(to);
  free(location);
  return request->redirect != NULL;
}

CURLcode cnk_http_go_on(struct cnk_http_request *request)
{
  CURLU *from = parse_current(request), *to = curl_url();
  bool is_same_origin = from && to && curl_url_set(to, CURLUPART_URL, request->redirect, 0) == CURLUE_OK &&
                        is_part_equal(from, to, CURLUPART_SCHEME) && is_part_equal(from, to, CURLUPART_HOST) &&
                        is_part_equal(from, to, CURLUPART_PORT);
  curl_url_cleanup(from);
  curl_url_cleanup(to);
  CURLcode code = curl_easy_setopt(request->easy, CURLOPT_URL, request->redirect);
  if (code == CURLE_OK && !is_same_origin)
    code = curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, NULL);
  request->redirects_left--;
  request->key.size = 0; /* the handle is no longer what its key says */
  return code;
}
