/* SPDX-License-Identifier: MIT */
/* Endpoints: which options suit, the head that is sent, and the route that connections share; see endpoint.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http/framing.h"
#include "http/out/post.h"
#include "http/out/setup.h"

/* ---- which options suit ------------------------------------------------------------------------------------------ */

/* Headers that say how to talk, not what: libcurl's transfers know what to do about them. */
static bool is_about_http(const struct cnk_text *header)
{
  static const char *const names[] = {"Host", "Connection", "Expect", "TE", "Upgrade"};
  size_t size = (size_t)((const char *)memchr(header->data, ':', header->size) - header->data);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cnk_framing_is_name(header->data, size, names[i]))
      return true;
  return false;
}

static bool is_ascii(const struct cnk_text *text)
{
  for (size_t i = 0; i < text->size; i++)
    if ((unsigned char)text->data[i] >= 0x80)
      return false;
  return true;
}

static bool has_part(CURLU *url, CURLUPart part)
{
  char *text = NULL;
  bool has_it = curl_url_get(url, part, &text, 0) == CURLUE_OK;
  curl_free(text);
  return has_it;
}

/* The URL, parsed as libcurl's transfers parse it; NULL when that fails, or something in it needs one. */
static CURLU *parse(const struct cnk_http_options *options)
{
  CURLU *url = is_ascii(&options->url) ? curl_url() : NULL;
  bool is_plain = url && curl_url_set(url, CURLUPART_URL, options->url.data, 0) == CURLUE_OK &&
                  !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_PASSWORD) &&
                  !has_part(url, CURLUPART_ZONEID);
  if (is_plain)
    return url;
  curl_url_cleanup(url);
  return NULL;
}

static bool is_secure(const struct cnk_http_options *options)
{
  return strncasecmp(options->url.data, "https:", 6) == 0;
}

static bool is_set(const char *name)
{
  const char *value = getenv(name);
  return value && value[0];
}

/* To a proxy that is asked in the clear another head is sent. libcurl does not tell whether it took one that the environment
 * names. With TLS it makes a tunnel. */
static bool may_ask_proxy(const struct cnk_http_options *options)
{
  if (is_secure(options))
    return false;
  if (options->proxy.data || options->unix_path.data)
    return options->proxy.size > 0;
  return is_set("http_proxy") || is_set("all_proxy") || is_set("ALL_PROXY");
}

bool cnk_endpoint_suits(const struct cnk_http_options *options)
{
  if (cnk_http_check(options) || !cnk_http_is_method(options, "POST") || options->is_stream || options->min_speed > 0 ||
      may_ask_proxy(options))
    return false;
  for (size_t i = 0; i < options->header_count; i++)
    if (is_about_http(&options->headers[i]))
      return false;
  CURLU *url = parse(options);
  curl_url_cleanup(url);
  return url != NULL;
}

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static bool add(struct cnk_buffer *buffer, const char *text)
{
  return cnk_buffer_add(buffer, text, strlen(text));
}

static bool add_part(struct cnk_buffer *buffer, const char *before, CURLU *url, CURLUPart part)
{
  char *text = NULL;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK)
    return true;
  bool is_added = add(buffer, before) && add(buffer, text);
  curl_free(text);
  return is_added;
}

/* The port only where it is not the scheme's own. */
static bool add_host(struct cnk_buffer *buffer, CURLU *url)
{
  char *port = NULL;
  bool is_default = curl_url_get(url, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) != CURLUE_OK;
  bool is_added = add_part(buffer, "", url, CURLUPART_HOST) && (is_default || (add(buffer, ":") && add(buffer, port)));
  curl_free(port);
  return is_added;
}

static bool add_header(struct cnk_buffer *head, const struct cnk_text *header)
{
  size_t size = header->size;
  if (cnk_http_is_empty_header(header))
    size = (size_t)((const char *)memchr(header->data, ':', size) - header->data) + 1;
  return cnk_buffer_add(head, header->data, size) && add(head, "\r\n");
}

/* As libcurl writes it. */
static bool write_head(struct cnk_buffer *head, CURLU *url, const struct cnk_http_options *options)
{
  bool has_accept = false;
  bool is_written = add_part(head, "POST ", url, CURLUPART_PATH) && add_part(head, "?", url, CURLUPART_QUERY) &&
                    add(head, " HTTP/1.1\r\nHost: ") && add_host(head, url) && add(head, "\r\n");
  for (size_t i = 0; i < options->header_count; i++)
    has_accept = has_accept || strncasecmp(options->headers[i].data, "Accept:", 7) == 0;
  if (!has_accept)
    is_written = is_written && add(head, "Accept: */*\r\n");
  for (size_t i = 0; i < options->header_count && is_written; i++)
    is_written = add_header(head, &options->headers[i]);
  return is_written && add(head, "Content-Length: ");
}

/* ---- routes ------------------------------------------------------------------------------------------------------ */

static struct cnk_route *of_route(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_route, link);
}

void cnk_route_release(struct cnk_route *route)
{
  if (--route->users > 0)
    return;
  cnk_list_remove(&route->link);
  free(route->key.data);
  free(route);
}

static bool add_text(struct cnk_buffer *key, const struct cnk_text *text)
{
  return cnk_buffer_add(key, text->data ? "=" : "-", 1) && cnk_buffer_add(key, text->data, text->size) &&
         cnk_buffer_add(key, "", 1);
}

/* Texts with a NUL behind each, and a byte before that says whether it was given. None holds a NUL. */
static bool write_key(struct cnk_buffer *key, CURLU *url, const struct cnk_http_options *options)
{
  key->size = 0;
  return add(key, "=") && add_part(key, "", url, CURLUPART_SCHEME) && add(key, "://") && add_host(key, url) &&
         cnk_buffer_add(key, "/", 2) && add_text(key, &options->ca_file) && add_text(key, &options->proxy) &&
         add_text(key, &options->unix_path);
}

static struct cnk_text next_text(const char **at)
{
  struct cnk_text text = {*at + 1, strlen(*at + 1)};
  bool is_given = **at == '=';
  *at += text.size + 2;
  return is_given ? text : (struct cnk_text){0};
}

static struct cnk_route *new_route(struct cnk_posts *posts, const struct cnk_http_options *options)
{
  struct cnk_route *route = calloc(1, sizeof *route);
  if (!route || !cnk_buffer_add(&route->key, posts->key.data, posts->key.size)) {
    free(route);
    return NULL;
  }
  const char *at = route->key.data;
  route->is_secure = is_secure(options);
  route->options.method = (struct cnk_text){"POST", 4};
  route->options.url = next_text(&at);
  route->options.ca_file = next_text(&at);
  route->options.proxy = next_text(&at);
  route->options.unix_path = next_text(&at);
  cnk_list_init(&route->idle);
  cnk_list_add(&posts->routes, &route->link);
  return route;
}

static struct cnk_route *find_route(struct cnk_posts *posts, CURLU *url, const struct cnk_http_options *options)
{
  if (!write_key(&posts->key, url, options))
    return NULL;
  CNK_LIST_EACH (link, &posts->routes) {
    const struct cnk_buffer *key = &of_route(link)->key;
    if (key->size == posts->key.size && memcmp(key->data, posts->key.data, key->size) == 0)
      return of_route(link);
  }
  return new_route(posts, options);
}

/* ---- endpoints --------------------------------------------------------------------------------------------------- */

void cnk_endpoint_close(struct cnk_endpoint *endpoint)
{
  *endpoint->slot = NULL;
  cnk_list_remove(&endpoint->link);
  if (endpoint->route)
    cnk_route_release(endpoint->route);
  free(endpoint->head.data);
  free(endpoint);
}

void cnk_endpoint_close_all(struct cnk_posts *posts)
{
  for (struct cnk_link *link; (link = cnk_list_take(&posts->endpoints));)
    cnk_endpoint_close(CNK_OWNER(link, struct cnk_endpoint, link));
}

bool cnk_endpoint_open(struct cnk_posts *posts, const struct cnk_http_options *options, struct cnk_endpoint **slot)
{
  struct cnk_endpoint *endpoint = calloc(1, sizeof *endpoint);
  CURLU *url = endpoint ? parse(options) : NULL;
  if (!endpoint)
    return false;
  endpoint->posts = posts;
  endpoint->max_bytes = options->max_bytes;
  endpoint->timeout_ms = options->timeout_ms;
  endpoint->connect_timeout_ms = cnk_http_connect_timeout_ms(options);
  endpoint->slot = slot;
  *slot = endpoint;
  cnk_list_add(&posts->endpoints, &endpoint->link);
  endpoint->route = url && write_head(&endpoint->head, url, options) ? find_route(posts, url, options) : NULL;
  if (endpoint->route)
    endpoint->route->users++;
  else
    cnk_endpoint_close(endpoint);
  curl_url_cleanup(url);
  return *slot != NULL;
}
