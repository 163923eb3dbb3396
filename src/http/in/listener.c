/* SPDX-License-Identifier: MIT */
/* The listening socket, and libmicrohttpd on our loop; see listener.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/in/parts.h"

/* One connection's memory: half of it reads, what remains holds fields and the answer's head. The library clears it
 * after each request, so more is slower. Heads beyond some 12 KiB are refused with 431. */
#define CONNECTION_MEMORY 16384
/* Connections that the system keeps for us while we are busy; it takes its own maximum when that is less. */
#define BACKLOG 1024
/* Files that connections leave to others: to the store, to requests of our own, to scripts. */
#define KEPT_FILES 512
/* While the library has unanswered requests it says "run me" all the time. That says nothing about other work then,
 * so after so many milliseconds we look. Real work that shows nowhere else is a large head, part by part. By the
 * system's time: this paces the library, and is no promise to anybody. */
#define NUDGE_MS 1
/* It also says so for good when a chunk's head has filled its buffer. A head that comes part by part ends well before. */
#define IDLE_RUNS 64

/* ---- running the daemon ------------------------------------------------------------------------------------------ */

static void on_nudge(uv_timer_t *timer);

static void run(struct cnk_listener *listener)
{
  MHD_UNSIGNED_LONG_LONG wait = 0;
  listener->is_due = listener->has_progress = listener->has_queued = false;
  MHD_run(listener->daemon);
  /* Deadlines are ours, so the library only ever says "at once" or nothing. */
  bool is_busy = MHD_get_timeout(listener->daemon, &wait) == MHD_YES;
  listener->idle_runs = is_busy && !listener->has_progress ? listener->idle_runs + 1 : 0;
  if (is_busy) {
    if (listener->has_progress || (listener->waiting == 0 && listener->idle_runs < IDLE_RUNS))
      listener->is_due = true;
    else if (!uv_is_active((uv_handle_t *)&listener->nudge_timer))
      uv_timer_start(&listener->nudge_timer, on_nudge, NUDGE_MS, 0);
  }
  cnk_room_sweep(listener, is_busy);
  /* Behind what was queued: one more run then writes the answers of them all. */
  if (listener->is_due || listener->has_queued)
    cnk_loop_finish(listener->loop, &listener->flush);
}

static void on_nudge(uv_timer_t *timer)
{
  run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  (void)status, (void)events;
  run(poll->data);
}

static void on_ends(uv_poll_t *poll, int status, int events)
{
  (void)status, (void)events;
  cnk_room_read_ends(poll->data);
}

static void deliver_flush(struct cnk_done *done, void *context)
{
  (void)context;
  struct cnk_listener *listener = CNK_OWNER(done, struct cnk_listener, flush);
  if (listener->is_due)
    run(listener);
}

static void on_connection(void *closure, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
  struct cnk_listener *listener = closure;
  struct cnk_peer *peer = *context;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (peer)
      cnk_room_unwatch(listener, peer);
    cnk_peer_free(peer);
    *context = NULL;
    listener->peers--;
    /* The library may have stopped accepting for want of room, and starts again only when it runs. */
    listener->is_due = true;
    return;
  }
  int socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  peer = cnk_peer_new(listener, socket);
  *context = peer;
  listener->peers++;
  if (!peer || !cnk_room_watch(listener, peer)) {
    shutdown(socket, SHUT_RDWR);
    return;
  }
  cnk_peer_expect(listener, peer, EXPECT_HEAD);
}

/* ---- opening and closing ----------------------------------------------------------------------------------------- */

static bool read_address(const char *host, int port, struct sockaddr_storage *address, socklen_t *size)
{
  if (strcmp(host, "localhost") == 0)
    host = "127.0.0.1";
  *size = sizeof(struct sockaddr_in);
  if (uv_ip4_addr(host, port, (struct sockaddr_in *)address) == 0)
    return true;
  *size = sizeof(struct sockaddr_in6);
  return uv_ip6_addr(host, port, (struct sockaddr_in6 *)address) == 0;
}

/* Returns a listening socket, or -1 with a message. We make it ourselves, for the library would not say what failed. */
static int open_port(const struct cnk_listener_options *options, int *port, char *message, size_t size)
{
  struct sockaddr_storage address = {0};
  socklen_t address_size;
  int on = 1, off = 0;
  if (options->port < 0 || options->port > 65535 ||
      !read_address(options->host, options->port, &address, &address_size)) {
    snprintf(message, size, "cannot listen on %s:%d: not an IP address and a port", options->host, options->port);
    return -1;
  }
  int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6) /* "::" takes IPv4 too */
      setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, address_size) != 0 || listen(fd, BACKLOG) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &address_size) != 0) {
    snprintf(message, size, "cannot listen on %s:%d: %s", options->host, options->port, strerror(errno));
    if (fd >= 0)
      close(fd);
    return -1;
  }
  *port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                             : ((struct sockaddr_in6 *)&address)->sin6_port);
  return fd;
}

static int open_socket(const struct cnk_listener_options *options, struct cnk_local *local, int *port, char *message,
                       size_t size)
{
  if (!options->unix_path)
    return open_port(options, port, message, size);
  *port = 0;
  return cnk_local_listen(local, options->unix_path, BACKLOG, message, size);
}

/* Nothing is unescaped: routes match the target as it was sent, for an unescaped "%2F" or "%00" would pass for another path
 * than the one that a proxy in front checked. And head.c measures the library's text by our copy of the target. */
static size_t keep_escapes(void *closure, struct MHD_Connection *connection, char *text)
{
  (void)closure, (void)connection;
  return strlen(text);
}

/* If clients could use up the process's descriptors, neither the store nor the client could open a file or a socket. */
static unsigned connections_at_most(unsigned wanted)
{
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
    return wanted;
  rlim_t free_for_clients = files.rlim_cur > 2 * KEPT_FILES ? files.rlim_cur - KEPT_FILES : files.rlim_cur / 2 + 1;
  return wanted < free_for_clients ? wanted : (unsigned)free_for_clients;
}

static struct MHD_Daemon *start_daemon(struct cnk_listener *listener, int socket)
{
  const struct cnk_listener_options *options = &listener->options;
  return MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, cnk_exchange_continue, listener,
      MHD_OPTION_LISTEN_SOCKET, socket, MHD_OPTION_STRICT_FOR_CLIENT, cnk_head_is_measured() ? 0 : 1,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT, listener->max_peers,
      MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->max_per_address, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
      MHD_OPTION_URI_LOG_CALLBACK, cnk_exchange_begin, listener, MHD_OPTION_NOTIFY_COMPLETED, cnk_exchange_end,
      listener, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener, MHD_OPTION_END);
}

static void free_listener(struct cnk_listener *listener)
{
  if (listener->ends >= 0)
    close(listener->ends);
  free((void *)(uintptr_t)listener->options.body_path);
  free((void *)(uintptr_t)listener->options.body_field);
  free(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
  struct cnk_listener *listener = handle->data;
  if (--listener->open_handles == 0)
    free_listener(listener);
}

static void shut_resource(struct cnk_resource *resource)
{
  struct cnk_listener *listener = CNK_OWNER(resource, struct cnk_listener, resource);
  listener->on_shut(listener->owner);
  cnk_listener_close(listener);
}

/* Makes the handles, in this order; false when one of the system's cannot be. */
static bool start_handles(struct cnk_listener *listener, int epoll)
{
  uv_loop_t *uv = &listener->loop->uv;
  uv_timer_init(uv, &listener->nudge_timer);
  uv_timer_init(uv, &listener->room_timer);
  listener->nudge_timer.data = listener->room_timer.data = listener->poll.data = listener->ends_poll.data = listener;
  listener->open_handles = 2;
  if (uv_poll_init(uv, &listener->poll, epoll) != 0)
    return false;
  listener->open_handles = 3;
  if (uv_poll_init(uv, &listener->ends_poll, listener->ends) != 0)
    return false;
  listener->open_handles = 4;
  return uv_poll_start(&listener->poll, UV_READABLE, on_poll) == 0 &&
         uv_poll_start(&listener->ends_poll, UV_READABLE, on_ends) == 0;
}

/* NULL without memory or descriptors. */
static struct cnk_listener *new_listener(struct cnk_loop *loop, const struct cnk_listener_options *options, int socket)
{
  struct cnk_listener *listener = calloc(1, sizeof *listener);
  if (!listener)
    return NULL;
  *listener = (struct cnk_listener){.loop = loop, .options = *options, .socket = socket};
  listener->options.host = listener->options.unix_path = NULL;
  listener->options.body_path = options->body_path ? strdup(options->body_path) : NULL;
  listener->options.body_field = options->body_field ? strdup(options->body_field) : NULL;
  listener->max_peers = connections_at_most(options->max_connections);
  listener->ends = epoll_create1(EPOLL_CLOEXEC);
  listener->resource.shut = shut_resource;
  listener->flush.deliver = deliver_flush;
  listener->refusal.deliver = cnk_exchange_deliver_refusals;
  for (int i = 0; i < EXPECT_NOTHING; i++)
    cnk_list_init(&listener->expected[i]);
  cnk_list_init(&listener->ended);
  cnk_list_init(&listener->exchanges);
  cnk_list_init(&listener->free_exchanges);
  if (listener->ends >= 0 && !listener->options.body_path == !options->body_path &&
      !listener->options.body_field == !options->body_field)
    return listener;
  free_listener(listener);
  return NULL;
}

struct cnk_listener *cnk_listener_open(struct cnk_loop *loop, const struct cnk_listener_options *options,
                                       cnk_listener_request_fn on_request, cnk_listener_shut_fn on_shut, void *owner,
                                       char *message, size_t size)
{
  int port;
  struct cnk_local local = {0};
  int socket = open_socket(options, &local, &port, message, size);
  if (socket < 0)
    return NULL;
  struct cnk_listener *listener = new_listener(loop, options, socket);
  if (!listener || !(listener->daemon = start_daemon(listener, socket))) {
    snprintf(message, size, "cannot listen: no HTTP server could be made");
    if (!listener) /* else the library has closed it */
      close(socket);
    else
      free_listener(listener);
    cnk_local_remove(&local);
    return NULL;
  }
  listener->on_request = on_request;
  listener->on_shut = on_shut;
  listener->owner = owner;
  listener->port = port;
  listener->local = local;
  loop->counts.listeners++;
  cnk_loop_own(loop, &listener->resource);
  if (!start_handles(listener, MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd)) {
    snprintf(message, size, "cannot listen: its events cannot be watched");
    cnk_listener_close(listener);
    return NULL;
  }
  cnk_peer_want_run(listener);
  return listener;
}

void cnk_listener_hear_refusals(struct cnk_listener *listener, cnk_listener_refusal_fn on_refusal)
{
  listener->on_refusal = on_refusal;
}

int cnk_listener_port(const struct cnk_listener *listener)
{
  return listener->port;
}

void cnk_listener_pause(struct cnk_listener *listener)
{
  if (listener->is_paused)
    return;
  listener->is_paused = true;
  cnk_local_remove(&listener->local);
  int socket = MHD_quiesce_daemon(listener->daemon);
  if (socket >= 0)
    close(socket);
  listener->socket = -1;
  for (struct cnk_link *link; (link = cnk_list_first(&listener->expected[EXPECT_MORE]));)
    cnk_peer_cut(CNK_OWNER(link, struct cnk_peer, link)); /* takes it out */
  cnk_peer_want_run(listener);
}

void cnk_listener_close(struct cnk_listener *listener)
{
  struct cnk_loop *loop = listener->loop;
  cnk_loop_disown(&listener->resource);
  cnk_loop_forget(&listener->flush);
  cnk_loop_forget(&listener->refusal);
  loop->counts.listeners--;
  /* Before the daemon closes its epoll descriptor: libuv must not poll a closed one, whose number may be in use again. */
  int handles = listener->open_handles;
  uv_close((uv_handle_t *)&listener->nudge_timer, on_handle_closed);
  uv_close((uv_handle_t *)&listener->room_timer, on_handle_closed);
  if (handles > 2)
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
  if (handles > 3)
    uv_close((uv_handle_t *)&listener->ends_poll, on_handle_closed);
  cnk_exchange_wake(listener);
  cnk_local_remove(&listener->local);
  MHD_stop_daemon(listener->daemon);
  cnk_exchange_release_all(listener);
  for (int i = 0; i < PLAIN_ANSWERS; i++)
    if (listener->plain[i].response)
      MHD_destroy_response(listener->plain[i].response);
}
