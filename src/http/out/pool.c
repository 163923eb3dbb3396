/* SPDX-License-Identifier: MIT */
/* Requests in their rings, and those kept for reuse; see http_request.h. */
#include <stdlib.h>
#include <string.h>

#include "http/out/request.h"

/* Prepared handles kept. Enough for what is usually under way at a time; each takes some ten kilobytes. */
#define MOST_IDLE 128

/* Buffers up to this size stay with an idle request. */
#define KEPT_ROOM ((size_t)16 * 1024)

void cnk_http_make_ring(struct cnk_http_link *ring)
{
  ring->prev = ring->next = ring;
}

void cnk_http_unlink(struct cnk_http_request *request)
{
  struct cnk_http_link *link = &request->link;
  link->prev->next = link->next;
  link->next->prev = link->prev;
}

void cnk_http_link_before(struct cnk_http_link *place, struct cnk_http_request *request)
{
  struct cnk_http_link *link = &request->link;
  link->prev = place->prev;
  link->next = place;
  link->prev->next = link->next->prev = link;
}

struct cnk_http_request *cnk_http_first(struct cnk_http_link *ring)
{
  return ring->next == ring ? NULL : (struct cnk_http_request *)ring->next;
}

void cnk_http_free(struct cnk_http_request *request)
{
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

struct cnk_http_request *cnk_http_find(struct cnk_http_client *client)
{
  struct cnk_http_request *found = NULL;
  for (struct cnk_http_link *at = client->idle.next; at != &client->idle && !found; at = at->next) {
    struct cnk_http_request *request = (struct cnk_http_request *)at;
    if (request->key.size == client->key.size && memcmp(request->key.data, client->key.data, client->key.size) == 0)
      found = request;
  }
  if (!found && client->idle_count < MOST_IDLE)
    return new_request(client);
  if (!found)
    found = (struct cnk_http_request *)client->idle.prev;
  cnk_http_unlink(found);
  client->idle_count--;
  return found;
}

void cnk_http_recycle(struct cnk_http_request *request)
{
  struct cnk_http_client *client = request->client;
  cnk_loop_forget(client->loop, &request->done);
  if (request->slot)
    *request->slot = NULL;
  request->slot = NULL;
  client->loop->counts.requests--;
  cnk_http_unlink(request);
  if (client->idle_count >= MOST_IDLE) {
    cnk_http_free(request);
    return;
  }
  cnk_http_forget_answer(request);
  cnk_buffer_reset(&request->head, KEPT_ROOM);
  cnk_buffer_reset(&request->answer, KEPT_ROOM);
  request->body = (struct cnk_text){0};
  cnk_http_link_before(client->idle.next, request);
  client->idle_count++;
}
