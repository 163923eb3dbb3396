/* SPDX-License-Identifier: MIT */
/* Requests kept for reuse; see request.h. */
#include <stdlib.h>
#include <string.h>

#include "http/out/request.h"

/* Prepared handles kept. Enough for what is usually under way at a time; each takes some ten kilobytes. */
#define MOST_IDLE 128

/* Buffers up to this size stay with an idle request. */
#define KEPT_ROOM ((size_t)16 * 1024)

void cnk_http_free(struct cnk_http_request *request)
{
  cnk_timer_stop(&request->timer);
  cnk_timer_stop(&request->connect_timer);
  cnk_timer_stop(&request->pace_timer);
  curl_easy_cleanup(request->easy);
  curl_slist_free_all(request->headers);
  free(request->redirect);
  free(request->key.data);
  free(request->head.data);
  free(request->answer.data);
  free(request);
}

static struct cnk_http_request *new_request(struct cnk_http_client *client)
{
  struct cnk_http_request *request = calloc(1, sizeof *request);
  if (!request)
    return NULL;
  request->easy = curl_easy_init();
  request->client = client;
  request->loop = client->loop;
  if (request->easy)
    return request;
  free(request);
  return NULL;
}

/* libcurl 7.83 to 8.0 remembers the last header of the transfer before, which it has freed, and appends to it when the
 * first line of a head begins with a space (https://github.com/curl/curl/issues/11101). */
static bool may_write_to_freed_header(void)
{
  static unsigned version;
  if (version == 0)
    version = curl_version_info(CURLVERSION_NOW)->version_num;
  return version >= 0x075300 && version < 0x080100;
}

bool cnk_http_renew(struct cnk_http_request *request)
{
  if (request->is_used && may_write_to_freed_header()) {
    CURL *copy = curl_easy_duphandle(request->easy);
    if (!copy)
      return false;
    curl_easy_cleanup(request->easy);
    request->easy = copy;
  }
  request->is_used = true;
  return true;
}

struct cnk_http_request *cnk_http_find(struct cnk_http_client *client)
{
  struct cnk_http_request *found = NULL;
  CNK_LIST_EACH (link, &client->idle) {
    struct cnk_http_request *request = cnk_http_of(link);
    if (request->key.size == client->key.size && memcmp(request->key.data, client->key.data, client->key.size) == 0) {
      found = request;
      break;
    }
  }
  if (!found && client->idle_count < MOST_IDLE)
    return new_request(client);
  if (!found)
    found = cnk_http_of(cnk_list_last(&client->idle));
  cnk_list_remove(&found->link);
  client->idle_count--;
  return found;
}

void cnk_http_recycle(struct cnk_http_request *request)
{
  struct cnk_http_client *client = request->client;
  cnk_timer_stop(&request->timer);
  cnk_timer_stop(&request->connect_timer);
  cnk_timer_stop(&request->pace_timer);
  cnk_loop_forget(&request->done);
  if (request->slot)
    *request->slot = NULL;
  request->slot = NULL;
  client->loop->counts.requests--;
  cnk_list_remove(&request->link);
  if (client->idle_count >= MOST_IDLE) {
    cnk_http_free(request);
    return;
  }
  cnk_http_forget_answer(request);
  cnk_buffer_reset(&request->head, KEPT_ROOM);
  cnk_buffer_reset(&request->answer, KEPT_ROOM);
  request->body = (struct cnk_text){0};
  cnk_list_add_first(&client->idle, &request->link);
  client->idle_count++;
}
