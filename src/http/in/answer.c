/* SPDX-License-Identifier: MIT */
/* Answers of exchanges: checked, and queued in libmicrohttpd outside its callbacks. See listener.h. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "http/framing.h"
#include "http/in/parts.h"

static bool add_field(struct MHD_Response *response, const char *field)
{
  char name[128];
  const char *colon = strchr(field, ':');
  if (!colon || (size_t)(colon - field) >= sizeof name)
    return false;
  size_t size = (size_t)(colon - field);
  memcpy(name, field, size);
  name[size] = '\0';
  const char *value = colon + 1;
  value += strspn(value, " \t");
  if (!cnk_framing_is_token(name, size) || !cnk_framing_is_value(value, strlen(value)))
    return false;
  if (cnk_framing_is_length(name, size)) /* the library sets it */
    return false;
  return MHD_add_response_header(response, name, value) == MHD_YES;
}

/* An answer without body and fields is made once for each status, and belongs to the listener then. */
static struct MHD_Response *plain_response(struct cnk_listener *listener, unsigned status, bool *is_kept)
{
  struct cnk_plain_answer *free_one = NULL;
  for (int i = PLAIN_ANSWERS - 1; i >= 0; i--) {
    struct cnk_plain_answer *plain = &listener->plain[i];
    *is_kept = plain->response && plain->status == status;
    if (*is_kept)
      return plain->response;
    if (!plain->response)
      free_one = plain;
  }
  struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
  if (response && free_one) {
    *free_one = (struct cnk_plain_answer){.status = status, .response = response};
    *is_kept = true;
  }
  return response;
}

static struct MHD_Response *make_response(struct cnk_exchange *exchange, unsigned status, const void *body, size_t size,
                                          const char *const *headers, size_t count, bool *is_kept)
{
  bool must_close = exchange->listener->is_paused || exchange->head.is_chunked;
  *is_kept = false;
  if (status < 200 || status > 599)
    return NULL;
  if (size == 0 && count == 0 && !must_close)
    return plain_response(exchange->listener, status, is_kept);
  /* The library promises not to change what it copies. */
  struct MHD_Response *response = MHD_create_response_from_buffer(
      size, (void *)(uintptr_t)body, size > 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
  if (!response)
    return NULL;
  bool is_good = !must_close || add_field(response, "Connection: close");
  for (size_t i = 0; i < count && is_good; i++)
    is_good = add_field(response, headers[i]);
  if (!is_good) {
    MHD_destroy_response(response);
    return NULL;
  }
  return response;
}

/* The library does not poll suspended connections, so we ask the system whether the client is still there. Only a reset
 * counts: a client that has shut down its sending side (POLLRDHUP) still waits for the answer. */
static bool has_hung_up(int socket)
{
  struct pollfd look = {.fd = socket};
  return poll(&look, 1, 0) > 0 && (look.revents & (POLLERR | POLLHUP)) != 0;
}

/* Ends the receiver's part. With `response` NULL the connection is closed. */
static void conclude(struct cnk_exchange *exchange, unsigned status, struct MHD_Response *response)
{
  struct cnk_listener *listener = exchange->listener;
  struct MHD_Connection *connection = exchange->connection;
  int socket = exchange->peer->socket;
  bool was_suspended = exchange->is_suspended;
  exchange->is_suspended = false;
  exchange->phase = PHASE_ANSWERED;
  if (!was_suspended)
    listener->waiting--;
  cnk_peer_expect(listener, exchange->peer, EXPECT_BODY);
  /* The documentation wants this call inside the access handler. Outside, it is safe as long as one thread runs the
   * daemon, as ours does. It may end the request at once; the exchange is ours until it is disowned below. */
  if (!response || MHD_queue_response(connection, status, response) != MHD_YES)
    shutdown(socket, SHUT_RDWR);
  if (was_suspended)
    MHD_resume_connection(connection);
  cnk_peer_want_run(listener);
  cnk_exchange_disown(exchange);
}

enum cnk_answer cnk_exchange_answer(struct cnk_exchange *exchange, unsigned status, const void *body, size_t size,
                                    const char *const *headers, size_t count)
{
  if (!exchange->connection) {
    cnk_exchange_disown(exchange);
    return CNK_ANSWER_GONE;
  }
  if (exchange->peer->is_over || (exchange->is_suspended && has_hung_up(exchange->peer->socket))) {
    conclude(exchange, 0, NULL);
    return CNK_ANSWER_GONE;
  }
  bool is_kept;
  struct MHD_Response *response = make_response(exchange, status, body, size, headers, count, &is_kept);
  if (!response)
    return CNK_ANSWER_REFUSED;
  conclude(exchange, status, response);
  if (!is_kept)
    MHD_destroy_response(response); /* the library has its own reference */
  return CNK_ANSWER_TAKEN;
}

void cnk_exchange_drop(struct cnk_exchange *exchange)
{
  if (cnk_exchange_answer(exchange, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL, 0, NULL, 0) == CNK_ANSWER_REFUSED)
    conclude(exchange, 0, NULL);
}

void cnk_exchange_cut(struct cnk_exchange *exchange)
{
  if (exchange->connection)
    conclude(exchange, 0, NULL);
  else
    cnk_exchange_disown(exchange);
}
