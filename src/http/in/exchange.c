/* SPDX-License-Identifier: MIT */
/* One request, from its first line to its answer; see parts.h for who holds it when. */
#include "http/in/parts.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library asks a connection for its answer at each run; after so many times the connection is suspended. Under load a
 * commit ends well before that, and is spared the four system calls of suspending; a slow handler is not. */
#define ASKED_ENOUGH 16

/* Recycled exchanges keep bodies up to this size, and a listener so many exchanges. */
#define KEPT_BODY 16384
#define KEPT_EXCHANGES 256

/* A body's buffer starts no larger than this, however much the client promises to send. */
#define FIRST_BODY 65536

static struct cnk_exchange *exchange_of(struct cnk_link *link)
{
  return CNK_OWNER(link, struct cnk_exchange, link);
}

static void free_exchange(struct cnk_exchange *exchange)
{
  free(exchange->target);
  free(exchange->body);
  free(exchange);
}

static void release_if_done(struct cnk_exchange *exchange)
{
  if (exchange->connection || exchange->is_owned)
    return;
  struct cnk_listener *listener = exchange->listener;
  cnk_list_remove(&exchange->link);
  if (listener)
    listener->bodies -= exchange->body_size;
  exchange->body_size = 0;
  if (!listener || listener->free_count >= KEPT_EXCHANGES) {
    free_exchange(exchange);
    return;
  }
  if (exchange->body_room > KEPT_BODY) {
    free(exchange->body);
    exchange->body = NULL;
    exchange->body_room = 0;
  }
  cnk_list_add_first(&listener->free_exchanges, &exchange->link); /* the one used last is in the processor's cache */
  listener->free_count++;
}

void cnk_exchange_disown(struct cnk_exchange *exchange)
{
  exchange->is_owned = false;
  exchange->loop->counts.exchanges--;
  release_if_done(exchange);
}

static void deliver(struct cnk_done *done, void *context)
{
  struct cnk_exchange *exchange = CNK_OWNER(done, struct cnk_exchange, done);
  if (!exchange->connection) { /* it disconnected while the request was queued: the provider sends it again */
    cnk_exchange_disown(exchange);
    return;
  }
  exchange->phase = PHASE_OUT;
  exchange->listener->on_request(exchange->listener->owner, exchange, context);
}

static struct cnk_exchange *take_exchange(struct cnk_listener *listener)
{
  struct cnk_link *spare = cnk_list_take(&listener->free_exchanges);
  struct cnk_exchange *exchange;
  if (spare) {
    exchange = exchange_of(spare);
    listener->free_count--;
    char *target = exchange->target, *body = exchange->body;
    size_t target_room = exchange->target_room, body_room = exchange->body_room;
    *exchange =
        (struct cnk_exchange){.target = target, .target_room = target_room, .body = body, .body_room = body_room};
  } else {
    exchange = calloc(1, sizeof *exchange);
    if (!exchange)
      return NULL;
  }
  exchange->listener = listener;
  exchange->loop = listener->loop;
  exchange->done.deliver = deliver;
  cnk_list_add(&listener->exchanges, &exchange->link);
  return exchange;
}

static struct cnk_peer *peer_of(struct MHD_Connection *connection)
{
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* ---- the library's callbacks ------------------------------------------------------------------------------------- */

void *cnk_exchange_begin(void *closure, const char *uri, struct MHD_Connection *connection)
{
  struct cnk_listener *listener = closure;
  struct cnk_peer *peer = peer_of(connection);
  struct cnk_exchange *exchange = peer ? take_exchange(listener) : NULL;
  if (!exchange)
    return NULL;
  exchange->connection = connection;
  exchange->peer = peer;
  exchange->raw_target = uri;
  exchange->target_size = strlen(uri);
  /* Copied now: the library is about to split the target in place, at its `?` and `&`. One that is too long is refused
   * when the head is checked; from this callback the library takes no refusal. */
  if (exchange->target_size <= CNK_HEAD_MAX_TARGET) {
    if (exchange->target_room <= exchange->target_size) {
      free(exchange->target);
      exchange->target_room = exchange->target_size + 128;
      exchange->target = malloc(exchange->target_room);
    }
    if (exchange->target)
      memcpy(exchange->target, uri, exchange->target_size + 1);
    else
      exchange->target_room = 0;
  }
  peer->exchange = exchange;
  listener->has_progress = true;
  cnk_peer_expect(listener, peer, EXPECT_HEAD);
  return exchange;
}

static const unsigned counted[COUNTED_REFUSALS] = {MHD_HTTP_BAD_REQUEST, MHD_HTTP_UNAUTHORIZED, MHD_HTTP_NOT_FOUND,
                                                   MHD_HTTP_CONTENT_TOO_LARGE};

static void count_refusal(struct cnk_listener *listener, unsigned status)
{
  for (int i = 0; i < COUNTED_REFUSALS; i++) {
    if (status != counted[i])
      continue;
    listener->refused[i]++;
    if (listener->on_refusal)
      cnk_loop_finish(listener->loop, &listener->refusal);
  }
}

void cnk_exchange_deliver_refusals(struct cnk_done *done, void *context)
{
  struct cnk_listener *listener = CNK_OWNER(done, struct cnk_listener, refusal);
  int i = 0;
  while (i < COUNTED_REFUSALS && listener->refused[i] == 0)
    i++;
  if (i == COUNTED_REFUSALS)
    return;
  /* One status at a time: the receiver may close the listener, which must not be touched afterwards. */
  unsigned count = listener->refused[i];
  listener->refused[i] = 0;
  cnk_loop_finish(listener->loop, done);
  listener->on_refusal(listener->owner, counted[i], count, context);
}

/* From within cnk_exchange_continue. Queued before the body is read, an answer makes the library close afterwards. */
static enum MHD_Result refuse(struct cnk_exchange *exchange, struct MHD_Connection *connection, unsigned status)
{
  exchange->phase = PHASE_ANSWERED;
  count_refusal(exchange->listener, status);
  struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
  if (!response)
    return MHD_NO;
  enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  unsigned retry_after_s = exchange->listener->options.retry_after_s;
  char seconds[16];
  snprintf(seconds, sizeof seconds, "%u", retry_after_s);
  if (status == MHD_HTTP_SERVICE_UNAVAILABLE && retry_after_s && result == MHD_YES)
    result = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
  if (result == MHD_YES)
    result = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  cnk_peer_expect(exchange->listener, exchange->peer, EXPECT_BODY);
  return result;
}

static bool reserve_body(struct cnk_exchange *exchange, size_t more)
{
  size_t wanted = exchange->body_size + more;
  if (wanted <= exchange->body_room)
    return true;
  size_t room = exchange->head.content_length < FIRST_BODY ? exchange->head.content_length : FIRST_BODY;
  if (room < exchange->body_room * 2)
    room = exchange->body_room * 2;
  if (room < wanted)
    room = wanted;
  char *body = realloc(exchange->body, room);
  if (!body)
    return false;
  exchange->body = body;
  exchange->body_room = room;
  return true;
}

/* A client whose connection is closed while it still writes gets a reset, and never reads why. So a 413, 404 or 401 is written
 * to the socket at once, past the library, which would send it only after the body; and a body of at most this size is
 * read to its end and discarded. The deadline of bodies holds for it, too. */
#define DROPPED_MOST ((size_t)64 << 20)

static bool may_drain(const struct cnk_exchange *exchange, unsigned status)
{
  if (status != MHD_HTTP_CONTENT_TOO_LARGE && status != MHD_HTTP_NOT_FOUND && status != MHD_HTTP_UNAUTHORIZED)
    return false; /* the head itself is wrong: nobody knows where its body ends */
  return !MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT) &&
         exchange->head.content_length <= DROPPED_MOST;
}

static void begin_drain(struct cnk_exchange *exchange, unsigned status)
{
  exchange->phase = PHASE_DRAIN;
  count_refusal(exchange->listener, status);
  cnk_peer_say(exchange->peer, status);
  cnk_peer_expect(exchange->listener, exchange->peer, EXPECT_BODY);
}

/* Closes the connection at the body's end, or when there is too much even to read. */
static enum MHD_Result drop_body(struct cnk_exchange *exchange, size_t *size)
{
  bool is_end = *size == 0;
  exchange->dropped += *size;
  *size = 0;
  exchange->listener->has_progress = exchange->has_moved = true;
  return is_end || exchange->dropped > DROPPED_MOST ? MHD_NO : MHD_YES;
}

static enum MHD_Result take_body(struct cnk_exchange *exchange, const char *data, size_t *size)
{
  struct cnk_listener *listener = exchange->listener;
  if (*size > listener->options.max_body - exchange->body_size) {
    begin_drain(exchange, MHD_HTTP_CONTENT_TOO_LARGE);
    return drop_body(exchange, size);
  }
  if (!cnk_room_for_body(listener, exchange, *size) || !reserve_body(exchange, *size)) {
    cnk_peer_say(exchange->peer, MHD_HTTP_SERVICE_UNAVAILABLE);
    return MHD_NO;
  }
  memcpy(exchange->body + exchange->body_size, data, *size);
  exchange->body_size += *size;
  listener->bodies += *size;
  *size = 0;
  listener->has_progress = exchange->has_moved = true;
  return MHD_YES;
}

static void queue(struct cnk_exchange *exchange)
{
  struct cnk_listener *listener = exchange->listener;
  exchange->phase = PHASE_QUEUED;
  exchange->is_owned = true;
  exchange->loop->counts.exchanges++;
  listener->waiting++;
  listener->has_queued = true;
  cnk_peer_expect(listener, exchange->peer, EXPECT_NOTHING);
  cnk_loop_finish(listener->loop, &exchange->done);
}

/* What the head alone rules out is refused before its body takes room from good requests. Returns 0 or a status. */
static unsigned check_body_may_come(const struct cnk_exchange *exchange)
{
  const struct cnk_listener_options *options = &exchange->listener->options;
  if (!exchange->head.is_chunked && exchange->head.content_length == 0)
    return 0;
  size_t size;
  const char *path = cnk_exchange_path(exchange, &size);
  if (options->body_path && /* which may hold a secret */
      (size != strlen(options->body_path) || CRYPTO_memcmp(path, options->body_path, size) != 0))
    return MHD_HTTP_NOT_FOUND;
  if (options->body_field && !cnk_exchange_header(exchange, options->body_field, &size))
    return MHD_HTTP_UNAUTHORIZED;
  return 0;
}

static unsigned check_head(struct cnk_exchange *exchange, const char *version)
{
  bool is_too_long = exchange->target_size > CNK_HEAD_MAX_TARGET;
  if (!is_too_long && !exchange->target)
    return MHD_HTTP_SERVICE_UNAVAILABLE;
  const struct cnk_head_line line = {.method = exchange->method,
                                     .version = version,
                                     .raw_target = exchange->raw_target,
                                     .target = is_too_long ? NULL : exchange->target,
                                     .target_size = exchange->target_size};
  unsigned status = cnk_head_check(exchange->connection, &line, exchange->listener->options.max_body, &exchange->head);
  unsigned refused = status == 0 || status == MHD_HTTP_CONTENT_TOO_LARGE ? check_body_may_come(exchange) : 0;
  return refused != 0 ? refused : status;
}

enum MHD_Result cnk_exchange_continue(void *closure, struct MHD_Connection *connection, const char *url,
                                      const char *method, const char *version, const char *data, size_t *size,
                                      void **context)
{
  (void)url;
  struct cnk_listener *listener = closure;
  struct cnk_exchange *exchange = *context;
  if (!exchange)
    return MHD_NO;
  switch (exchange->phase) {
  case PHASE_HEAD:
    exchange->method = method;
    exchange->phase = PHASE_BODY;
    exchange->dropped = 0;
    unsigned status = check_head(exchange, version);
    if (may_drain(exchange, status)) {
      begin_drain(exchange, status);
      return MHD_YES;
    }
    if (status != 0)
      return refuse(exchange, connection, status);
    if (exchange->head.is_chunked || exchange->head.content_length > 0)
      cnk_peer_expect(listener, exchange->peer, EXPECT_BODY);
    return MHD_YES;
  case PHASE_BODY:
    if (*size > 0)
      return take_body(exchange, data, size);
    queue(exchange);
    return MHD_YES;
  case PHASE_DRAIN: return drop_body(exchange, size);
  case PHASE_QUEUED:
  case PHASE_OUT:
    if (++exchange->asked >= ASKED_ENOUGH && !exchange->is_suspended) {
      MHD_suspend_connection(connection);
      exchange->is_suspended = true;
      listener->waiting--;
    }
    return MHD_YES;
  case PHASE_ANSWERED: /* without an answer that could be sent */ break;
  }
  return MHD_NO;
}

void cnk_exchange_end(void *closure, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why)
{
  (void)connection, (void)why;
  struct cnk_listener *listener = closure;
  struct cnk_exchange *exchange = *context;
  if (!exchange)
    return;
  *context = NULL;
  if ((exchange->phase == PHASE_QUEUED || exchange->phase == PHASE_OUT) && !exchange->is_suspended)
    listener->waiting--;
  exchange->is_suspended = false;
  exchange->peer->exchange = NULL;
  cnk_peer_expect(listener, exchange->peer, EXPECT_MORE);
  exchange->connection = NULL;
  exchange->peer = NULL;
  release_if_done(exchange);
}

void cnk_exchange_wake(struct cnk_listener *listener)
{
  CNK_LIST_EACH (link, &listener->exchanges)
    if (exchange_of(link)->is_suspended)
      MHD_resume_connection(exchange_of(link)->connection);
}

void cnk_exchange_release_all(struct cnk_listener *listener)
{
  struct cnk_link *link;
  while ((link = cnk_list_take(&listener->exchanges))) {
    struct cnk_exchange *exchange = exchange_of(link);
    exchange->listener = NULL;
    if (exchange->phase == PHASE_QUEUED) {
      cnk_loop_forget(&exchange->done);
      cnk_exchange_disown(exchange);
    }
  }
  while ((link = cnk_list_take(&listener->free_exchanges)))
    free_exchange(exchange_of(link));
}

/* ---- for the receiver -------------------------------------------------------------------------------------------- */

const char *cnk_exchange_method(const struct cnk_exchange *exchange)
{
  return exchange->connection ? exchange->method : NULL;
}

/* Skips scheme and authority, for `GET http://host/path` asks for /path (RFC 9112, 3.2.2). */
static const char *skip_authority(const char *target)
{
  const char *colon = strstr(target, "://");
  if (*target == '/' || !colon || strcspn(target, "/?") < (size_t)(colon - target))
    return target;
  return colon + 3 + strcspn(colon + 3, "/?");
}

const char *cnk_exchange_path(const struct cnk_exchange *exchange, size_t *size)
{
  const char *path = skip_authority(exchange->target);
  *size = strcspn(path, "?");
  if (*size > 0)
    return path;
  *size = 1;
  return "/";
}

const char *cnk_exchange_query(const struct cnk_exchange *exchange, size_t *size)
{
  const char *query = strchr(exchange->target, '?');
  *size = query ? strlen(query + 1) : 0;
  return query ? query + 1 : NULL;
}

const char *cnk_exchange_body(const struct cnk_exchange *exchange, size_t *size)
{
  *size = exchange->body_size;
  return exchange->body ? exchange->body : "";
}

const char *cnk_exchange_header(const struct cnk_exchange *exchange, const char *name, size_t *size)
{
  const char *value = NULL;
  *size = 0;
  if (exchange->connection)
    MHD_lookup_connection_value_n(exchange->connection, MHD_HEADER_KIND, name, strlen(name), &value, size);
  return value;
}

bool cnk_exchange_peer(const struct cnk_exchange *exchange, char *out, size_t size)
{
  if (!exchange->connection)
    return false;
  const struct sockaddr *address =
      MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
  if (address->sa_family == AF_UNIX)
    return (size_t)snprintf(out, size, "unix") < size;
  if (address->sa_family == AF_INET)
    return uv_ip4_name((const struct sockaddr_in *)(const void *)address, out, size) == 0;
  if (uv_ip6_name((const struct sockaddr_in6 *)(const void *)address, out, size) != 0)
    return false;
  if (strncmp(out, "::ffff:", 7) == 0 && strchr(out, '.')) /* IPv4 that came to a socket of both */
    memmove(out, out + 7, strlen(out + 7) + 1);
  return true;
}
