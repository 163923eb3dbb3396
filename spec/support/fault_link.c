/* SPDX-License-Identifier: MIT */
/* One connection of the fault server: reads a request, does what the action says. See fault_server.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "fault_server.h"

static struct server *server;
static const char *(*take_action)(void);

void link_setup(struct server *the_server, const char *(*take)(void))
{
  server = the_server;
  take_action = take;
}

/* ---- bytes and time ---------------------------------------------------------------------------------------------- */

void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
  if (bytes->size + size > bytes->room) {
    bytes->room = (bytes->size + size) * 2;
    bytes->data = realloc(bytes->data, bytes->room);
    if (!bytes->data)
      abort();
  }
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
}

void bytes_drop(struct bytes *bytes, size_t size)
{
  bytes->size -= size;
  memmove(bytes->data, bytes->data + size, bytes->size);
}

void bytes_free(struct bytes *bytes)
{
  free(bytes->data);
  *bytes = (struct bytes){0};
}

static void add_text(struct bytes *bytes, const char *text)
{
  bytes_add(bytes, text, strlen(text));
}

static long now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

long link_time_left(const struct link *link)
{
  if (link->wake_at == 0)
    return -1;
  long left = link->wake_at - now_ms();
  return left > 0 ? left : 0;
}

/* ---- ends -------------------------------------------------------------------------------------------------------- */

static void drop_upstream(struct link *link)
{
  if (link->upstream >= 0)
    close(link->upstream);
  link->upstream = -1;
}

static void end(struct link *link, bool is_reset)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  if (is_reset)
    setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(link->fd);
  drop_upstream(link);
  link->is_closed = true;
}

static void add_filler(struct bytes *bytes, size_t size)
{
  static const char filler[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
  for (size_t left = size, part; left > 0; left -= part) {
    part = left < 64 ? left : 64;
    bytes_add(bytes, filler, part);
  }
}

/* Everything written: what now? */
static void finish(struct link *link)
{
  switch (link->then) {
  case THEN_CLOSE:
  case THEN_RESET: end(link, link->then == THEN_RESET); return;
  case THEN_STALL: return;
  case THEN_MORE: add_filler(&link->out, 65536); return;
  case THEN_NEXT:
    link->is_answering = false;
    link->action = NULL;
    link->drip_ms = link->wake_at = 0;
  }
}

static void flush(struct link *link)
{
  while (link->out.size > 0 && link->wake_at == 0) {
    size_t size = !link->drip_ms ? link->out.size : link->at_once ? link->at_once : 1;
    ssize_t sent = send(link->fd, link->out.data, size, 0);
    if (sent < 0) {
      if (errno != EAGAIN)
        end(link, false);
      return;
    }
    server->sent += sent;
    link->at_once -= (size_t)sent < link->at_once ? (size_t)sent : link->at_once;
    bytes_drop(&link->out, (size_t)sent);
    if (link->drip_ms && link->out.size > 0)
      link->wake_at = now_ms() + link->drip_ms;
    if (link->then == THEN_MORE)
      break;
  }
  if (link->out.size == 0 && link->wake_at == 0)
    finish(link);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static const char ok_body[] = "{\"messages\":[{\"id\":\"wamid.fault\"}]}";

static void answer(struct link *link, int status, const char *headers, const char *body, size_t size)
{
  char head[512];
  snprintf(head, sizeof head, "HTTP/1.1 %d Answer\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
           status, headers, size);
  add_text(&link->out, head);
  bytes_add(&link->out, body, size);
}

static void answer_ok(struct link *link)
{
  answer(link, 200, "", ok_body, strlen(ok_body));
}

static void answer_status(struct link *link, const char *words)
{
  int status = 200, seconds = -1;
  char header[64] = "";
  if (sscanf(words, "%d:%d", &status, &seconds) == 2)
    snprintf(header, sizeof header, "Retry-After: %d\r\n", seconds);
  answer(link, status, header, ok_body, strlen(ok_body));
}

static void answer_body(struct link *link, size_t size)
{
  struct bytes body = {0};
  add_filler(&body, size);
  answer(link, 200, "", body.data ? body.data : "", size);
  bytes_free(&body);
}

static void answer_chunked(struct link *link, size_t size)
{
  struct bytes body = {0};
  char line[32];
  add_filler(&body, size);
  add_text(&link->out, "HTTP/1.1 200 Chunked\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n");
  for (size_t at = 0, part; at < size; at += part) {
    part = size - at < 1000 ? size - at : 1000;
    snprintf(line, sizeof line, "%zx\r\n", part);
    add_text(&link->out, line);
    bytes_add(&link->out, body.data + at, part);
    add_text(&link->out, "\r\n");
  }
  add_text(&link->out, "0\r\nX-Late: trailer\r\n\r\n");
  bytes_free(&body);
}

static void answer_head(struct link *link, size_t size)
{
  add_text(&link->out, "HTTP/1.1 200 Long\r\nContent-Length: 0\r\n");
  for (size_t at = 0; at < size; at += 1000) {
    char line[1001];
    memset(line, 'h', 1000);
    memcpy(line, "X-Long: ", 8);
    memcpy(line + 998, "\r\n", 3);
    add_text(&link->out, line);
  }
  add_text(&link->out, "\r\n");
}

static void answer_redirect(struct link *link, const char *target)
{
  char head[600];
  snprintf(head, sizeof head, "HTTP/1.1 302 Elsewhere\r\nLocation: %s\r\nContent-Length: 4\r\n\r\nGone", target);
  add_text(&link->out, head);
}

static void answer_half(struct link *link, enum then then)
{
  answer_ok(link);
  link->out.size -= strlen(ok_body) / 2;
  link->then = then;
}

/* ---- framing ----------------------------------------------------------------------------------------------------- */

static size_t head_size(const struct bytes *in)
{
  const char *blank = in->size ? memmem(in->data, in->size, "\r\n\r\n", 4) : NULL;
  return blank ? (size_t)(blank - in->data) + 4 : 0;
}

static long body_size(const struct bytes *in, size_t head) /* -1: not said */
{
  static const char name[] = "\ncontent-length:";
  for (size_t i = 0; i + sizeof name < head; i++)
    if (strncasecmp(in->data + i, name, sizeof name - 1) == 0)
      return atol(in->data + i + sizeof name - 1);
  return -1;
}

/* ---- upstream ---------------------------------------------------------------------------------------------------- */

static void connect_upstream(struct link *link)
{
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)server->upstream_port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  link->upstream = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  connect(link->upstream, (struct sockaddr *)&address, sizeof address);
  link->upstream_written = 0;
}

/* The request goes on with "Connection: close": an answer without a length ends with the connection. */
static void pass(struct link *link, size_t request_size)
{
  char *line_end = memchr(link->in.data, '\n', request_size);
  link->answer.size = 0;
  bytes_add(&link->answer, link->in.data, (size_t)(line_end + 1 - link->in.data));
  add_text(&link->answer, "Connection: close\r\n");
  bytes_add(&link->answer, line_end + 1, request_size - (size_t)(line_end + 1 - link->in.data));
  connect_upstream(link);
}

/* In a tunnel `answer` holds what goes to the upstream, and `out` what comes from it. */
static void open_tunnel(struct link *link)
{
  connect_upstream(link);
  link->is_tunnel = true;
  add_text(&link->out, "HTTP/1.1 200 Go on\r\n\r\n");
}

static void tunnel(struct link *link, short events)
{
  char part[65536];
  if (events & POLLOUT && link->answer.size > 0) {
    ssize_t sent = send(link->upstream, link->answer.data, link->answer.size, 0);
    if (sent > 0)
      bytes_drop(&link->answer, (size_t)sent);
  }
  if (!(events & (POLLIN | POLLHUP | POLLERR)))
    return;
  ssize_t got = recv(link->upstream, part, sizeof part, 0);
  if (got > 0)
    bytes_add(&link->out, part, (size_t)got);
  else if (got == 0 || errno != EAGAIN)
    link->then = THEN_CLOSE;
  flush(link);
}

/* While the request is being written `answer` holds it; then the answer itself. */
short link_wants_upstream(const struct link *link)
{
  if (link->is_tunnel)
    return (short)(POLLIN | (link->answer.size > 0 ? POLLOUT : 0));
  return link->upstream_written == SIZE_MAX ? POLLIN : POLLOUT;
}

static void strip_close(struct bytes *answer_bytes)
{
  static const char line[] = "Connection: close\r\n";
  char *at = memmem(answer_bytes->data, answer_bytes->size, line, strlen(line));
  if (!at)
    return;
  size_t tail = answer_bytes->size - (size_t)(at - answer_bytes->data) - strlen(line);
  memmove(at, at + strlen(line), tail);
  answer_bytes->size -= strlen(line);
}

static void upstream_is_done(struct link *link)
{
  const char *colon = strchr(link->action, ':');
  drop_upstream(link);
  if (link->answer.size == 0 || strcmp(link->action, "pass-lost") == 0) {
    end(link, false);
    return;
  }
  strip_close(&link->answer);
  link->then = THEN_NEXT;
  bytes_add(&link->out, link->answer.data, link->answer.size);
  link->wake_at = colon ? now_ms() + atol(colon + 1) : 0;
  flush(link);
}

void link_upstream_ready(struct link *link, short events)
{
  char part[65536];
  if (link->is_tunnel) {
    tunnel(link, events);
    return;
  }
  if (link->upstream_written != SIZE_MAX) {
    ssize_t sent = send(link->upstream, link->answer.data, link->answer.size, 0);
    if (sent < 0) {
      end(link, false);
      return;
    }
    bytes_drop(&link->answer, (size_t)sent);
    if (link->answer.size == 0)
      link->upstream_written = SIZE_MAX;
    return;
  }
  ssize_t got = recv(link->upstream, part, sizeof part, 0);
  if (got > 0)
    bytes_add(&link->answer, part, (size_t)got);
  size_t head = head_size(&link->answer);
  long body = head > 0 ? body_size(&link->answer, head) : -1;
  bool is_whole = body >= 0 && link->answer.size >= head + (size_t)body;
  if (is_whole || got == 0 || (got < 0 && errno != EAGAIN))
    upstream_is_done(link);
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void report(struct link *link, size_t head, size_t body)
{
  uint64_t hash = 14695981039346656037u; /* FNV-1a */
  for (size_t i = head; i < head + body; i++)
    hash = (hash ^ (unsigned char)link->in.data[i]) * 1099511628211u;
  char method[32] = "", path[256] = "";
  sscanf(link->in.data, "%31s %255s", method, path);
  server->requests++;
  if (server->log)
    fprintf(server->log, "%d %s %s %zu %016llx %d %s\n", server->requests, method, path, body, (unsigned long long)hash,
            link->number, link->action);
}

static bool is_named(const struct link *link, const char *name)
{
  size_t size = strlen(name);
  return strncmp(link->action, name, size) == 0 && (link->action[size] == ':' || link->action[size] == '\0');
}

static void answer_by_action(struct link *link, size_t request_size)
{
  const char *colon = strchr(link->action, ':'), *rest = colon ? colon + 1 : "";
  if (is_named(link, "status"))
    answer_status(link, rest);
  else if (is_named(link, "echo"))
    answer(link, 200, "", link->in.data, request_size);
  else if (is_named(link, "body") || is_named(link, "trickle"))
    answer_body(link, (size_t)atol(rest));
  else if (is_named(link, "chunked"))
    answer_chunked(link, (size_t)atol(rest));
  else if (is_named(link, "head"))
    answer_head(link, (size_t)atol(rest));
  else if (is_named(link, "redirect"))
    answer_redirect(link, rest);
  else if (is_named(link, "garbage"))
    add_text(&link->out, "\x16\x03garbage, and no HTTP at all\r\n\r\n");
  else if (is_named(link, "garbled"))
    add_text(&link->out, "HTTP/1.1 200 OK\r\nno field\r: x\r\nContent-Length: 0\r\n\r\n");
  else if (is_named(link, "folded"))
    add_text(&link->out, "HTTP/1.1 200 OK\r\n X-Folded: to nothing\r\nContent-Length: 0\r\n\r\n");
  else if (is_named(link, "endless"))
    add_text(&link->out, "HTTP/1.1 200 Endless\r\n\r\n");
  else
    answer_ok(link);
}

static void begin_answer(struct link *link, size_t request_size)
{
  const char *colon = strchr(link->action, ':');
  link->is_answering = true;
  link->then = THEN_NEXT;
  if (is_named(link, "close") || is_named(link, "reset")) {
    end(link, is_named(link, "reset"));
  } else if (is_named(link, "stall")) {
    link->then = THEN_STALL;
  } else if (is_named(link, "tunnel")) {
    link->then = THEN_STALL;
    open_tunnel(link);
  } else if (strncmp(link->action, "pass", 4) == 0) {
    link->then = THEN_STALL; /* until the upstream's answer is in */
    pass(link, request_size);
  } else if (strncmp(link->action, "half-", 5) == 0) {
    answer_half(link, is_named(link, "half-stall")   ? THEN_STALL
                      : is_named(link, "half-close") ? THEN_CLOSE
                                                     : THEN_RESET);
  } else if (!link->has_early) {
    answer_by_action(link, request_size);
    if (is_named(link, "ok-close") || is_named(link, "garbage") || is_named(link, "garbled"))
      link->then = THEN_CLOSE;
    if (is_named(link, "endless"))
      link->then = THEN_MORE;
    link->wake_at = is_named(link, "delay") ? now_ms() + atol(colon + 1) : 0;
    link->drip_ms = is_named(link, "drip") ? atol(colon + 1) : is_named(link, "trickle");
    link->at_once = is_named(link, "trickle") ? head_size(&link->out) : 0;
  }
}

/* Looks at what has come in. */
static void consider(struct link *link)
{
  if (!link->action && link->in.size > 0) {
    link->action = take_action();
    link->has_early = false;
    if (is_named(link, "cut")) {
      end(link, true);
      return;
    }
  }
  bool is_reading = link->action && !link->is_answering && !is_named(link, "deaf");
  size_t head = is_reading ? head_size(&link->in) : 0;
  if (head == 0)
    return;
  long length = body_size(&link->in, head);
  size_t body = length > 0 ? (size_t)length : 0;
  if (is_named(link, "early") && !link->has_early) {
    answer_status(link, link->action + 6);
    link->has_early = true;
    link->then = THEN_STALL; /* until the body is in */
  }
  if (link->in.size >= head + body) {
    report(link, head, body);
    begin_answer(link, head + body);
    if (!link->is_closed)
      bytes_drop(&link->in, head + body);
  }
  if (!link->is_closed && (link->is_answering || link->has_early))
    flush(link);
}

short link_wants(const struct link *link)
{
  bool is_deaf = link->action && is_named(link, "deaf");
  bool is_writing = link->out.size > 0 && link->wake_at == 0;
  return (short)((is_deaf ? 0 : POLLIN) | (is_writing ? POLLOUT : 0));
}

void link_ready(struct link *link, short events)
{
  char part[65536];
  if (events & POLLOUT)
    flush(link);
  if (link->is_closed || !(events & (POLLIN | POLLHUP | POLLERR)))
    return;
  ssize_t got = recv(link->fd, part, sizeof part, 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    end(link, false);
    return;
  }
  if (got > 0)
    bytes_add(link->is_tunnel ? &link->answer : &link->in, part, (size_t)got);
  if (!link->is_tunnel)
    consider(link);
}

void link_wake(struct link *link)
{
  link->wake_at = 0;
  flush(link);
}
