/* SPDX-License-Identifier: MIT */
/*
 * An HTTP server that misbehaves on order, for tests only. It binds a free port of 127.0.0.1, prints "port N", and does
 * to the n-th request what the n-th action says; after the last one, the last again.
 *
 *   fault_server [--upstream PORT] [--log FILE] ACTION...         and on stdin, one command a line:
 *     next ACTION...   to be done before whatever is left
 *     count            prints "count REQUESTS CONNECTIONS SENT": requests that were read to the end, bytes of answers
 *
 * It ends when stdin does. The log gets "N METHOD PATH BODY-BYTES BODY-HASH CONNECTION ACTION" for each such request.
 * Actions, with MS in milliseconds:
 *   ok                  200 with a short JSON body
 *   status:CODE[:SECS]  another status, with Retry-After
 *   echo                200 whose body is the request, head and all
 *   body:BYTES          a body of that size            chunked:BYTES   the same in chunks, with a trailer
 *   trickle:BYTES       a body of that size, a byte every millisecond
 *   endless             a body without end             head:BYTES      a head of that size
 *   redirect:URL        302; the rest of the action is the Location
 *   delay:MS            ok, later                      drip:MS         ok, a byte every MS
 *   ok-close            ok, then an unannounced close
 *   close  reset        read the whole request, then end the connection without an answer
 *   garbage             something that is not HTTP     half-stall  half-close  half-reset   half an answer, then that
 *   garbled             a head with a line that is no field
 *   folded              a head whose first line goes on with a line before it
 *   stall               never answer
 *   deaf                never read                     cut             reset at the first byte
 *   early:CODE          answer before the body is read, and read it later
 *   pass                hand it on to the upstream, and its answer back
 *   tunnel              what a proxy makes of CONNECT, to the upstream
 *   pass-late:MS        the same, but the answer waits  pass-lost      the same, but the answer is thrown away
 *
 * It knows one request at a time on a connection, and bodies with a Content-Length.
 */
#define _GNU_SOURCE
#include "fault_server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct server server;

static void add_action(const char *action)
{
  if (server.action_count < MOST_ACTIONS)
    server.actions[server.action_count++] = strdup(action);
}

static const char *take_action(void)
{
  if (server.action_count == 0)
    return "ok";
  const char *action = server.actions[server.action_at];
  if (server.action_at + 1 < server.action_count)
    server.action_at++;
  return action;
}

/* "next a b": these first, then what was left. */
static void add_next(char *words)
{
  char *left[MOST_ACTIONS];
  int count = 0;
  for (int i = server.action_at; i < server.action_count; i++)
    left[count++] = server.actions[i];
  server.action_count = server.action_at = 0;
  for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
    add_action(word);
  for (int i = 0; i < count && server.action_count < MOST_ACTIONS; i++)
    server.actions[server.action_count++] = left[i];
}

static void run_command(char *line)
{
  if (strncmp(line, "next ", 5) == 0)
    add_next(line + 5);
  else if (strcmp(line, "count") == 0)
    printf("count %d %d %lld\n", server.requests, server.connections, server.sent);
}

static bool read_commands(void) /* false at the end of stdin */
{
  static char text[8192];
  static size_t size;
  ssize_t got = read(0, text + size, sizeof text - 1 - size);
  if (got <= 0)
    return false;
  size += (size_t)got;
  text[size] = '\0';
  char *line = text;
  for (char *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = '\0';
    run_command(line);
  }
  size = strlen(line);
  memmove(text, line, size);
  return true;
}

static void accept_one(void)
{
  int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  struct link *link = server.link_count < MOST_LINKS ? calloc(1, sizeof *link) : NULL;
  if (!link) {
    close(fd);
    return;
  }
  link->fd = fd;
  link->upstream = -1;
  link->number = ++server.connections;
  server.links[server.link_count++] = link;
}

static void sweep(void)
{
  int kept = 0;
  for (int i = 0; i < server.link_count; i++) {
    struct link *link = server.links[i];
    if (!link->is_closed) {
      server.links[kept++] = link;
      continue;
    }
    bytes_free(&link->in);
    bytes_free(&link->out);
    bytes_free(&link->answer);
    free(link);
  }
  server.link_count = kept;
}

static void serve_polled(const struct pollfd *polled, const struct poll_owner *owners, int count)
{
  for (int i = 0; i < count; i++) {
    struct link *link = owners[i].link;
    if (!polled[i].revents || !link || link->is_closed)
      continue;
    if (owners[i].is_upstream)
      link_upstream_ready(link, polled[i].revents);
    else
      link_ready(link, polled[i].revents);
  }
}

static int gather(struct pollfd *polled, struct poll_owner *owners, long *wait_ms)
{
  int count = 0;
  polled[count] = (struct pollfd){.fd = 0, .events = POLLIN};
  owners[count++] = (struct poll_owner){0};
  polled[count] = (struct pollfd){.fd = server.listener, .events = POLLIN};
  owners[count++] = (struct poll_owner){0};
  *wait_ms = -1;
  for (int i = 0; i < server.link_count; i++) {
    struct link *link = server.links[i];
    long left = link_time_left(link);
    if (left >= 0 && (*wait_ms < 0 || left < *wait_ms))
      *wait_ms = left;
    polled[count] = (struct pollfd){.fd = link->fd, .events = link_wants(link)};
    owners[count++] = (struct poll_owner){.link = link};
    if (link->upstream >= 0) {
      polled[count] = (struct pollfd){.fd = link->upstream, .events = link_wants_upstream(link)};
      owners[count++] = (struct poll_owner){.link = link, .is_upstream = true};
    }
  }
  return count;
}

static void run(void)
{
  static struct pollfd polled[2 * MOST_LINKS + 2];
  static struct poll_owner owners[2 * MOST_LINKS + 2];
  for (;;) {
    long wait_ms;
    int count = gather(polled, owners, &wait_ms);
    if (poll(polled, (nfds_t)count, (int)wait_ms) < 0)
      return;
    if (polled[0].revents && !read_commands())
      return;
    serve_polled(polled, owners, count);
    for (int i = 0; i < server.link_count; i++)
      if (!server.links[i]->is_closed && link_time_left(server.links[i]) == 0)
        link_wake(server.links[i]);
    sweep();
    if (polled[1].revents)
      accept_one();
  }
}

static int listen_anywhere(void)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server.listener, (struct sockaddr *)&address, size) != 0 || listen(server.listener, 1024) != 0 ||
      getsockname(server.listener, (struct sockaddr *)&address, &size) != 0)
    return -1;
  return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
  int at = 1;
  for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    if (strcmp(argv[at], "--upstream") == 0)
      server.upstream_port = atoi(argv[at + 1]);
    else if (strcmp(argv[at], "--log") == 0)
      server.log = fopen(argv[at + 1], "w");
  }
  for (; at < argc; at++)
    add_action(argv[at]);
  if (server.log)
    setvbuf(server.log, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);
  setvbuf(stdout, NULL, _IOLBF, 0);
  link_setup(&server, take_action);
  int port = listen_anywhere();
  if (port < 0) {
    perror("fault_server");
    return 1;
  }
  printf("port %d\n", port);
  run();
  printf("count %d %d %lld\n", server.requests, server.connections, server.sent);
  return 0;
}
