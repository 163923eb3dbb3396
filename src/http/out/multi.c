/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on the loop; see multi.h. */
#include "http/out/multi.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Connections kept, all hosts together and busy ones included: beyond this libcurl closes one for each that becomes
 * idle, so it must not be fewer than are usually busy. */
#define MOST_CONNECTIONS 256

/* A descriptor that libcurl wants watched.
 *
 * Between two requests on one connection libcurl takes its interest back and soon gives it again. For a socket that
 * we opened ourselves the poll is left running meanwhile ("resting"), which saves four system calls a request: we
 * learn of its end in close_socket. Descriptors that libcurl made itself (its resolver's) may be closed without a call of
 * close_socket, and their numbers be in use again while libuv still polls them, so those are released at once. So may a
 * socket that libcurl has opened and not connected yet (libcurl 7.88 does that), and libuv ends the process when it is to
 * begin to poll a number that is closed: a socket rests only where an earlier request has left it in use. */
struct cnk_socket {
  uv_poll_t poll;
  struct cnk_multi *multi;
  int fd;
  int wanted; /* UV_READABLE and UV_WRITABLE, as libcurl asked last; 0 while resting */
  int polled; /* what libuv polls for now */
  bool is_ours;
  bool has_rested, is_kept; /* libcurl took its interest back; and gave it again, for the next request */
  bool is_taken;            /* see cnk_multi_take */
  void *owner;              /* who took it */
};

static void free_socket(uv_handle_t *handle)
{
  free(handle->data);
}

static struct cnk_socket *find(struct cnk_multi *multi, int fd)
{
  return fd >= 0 && (size_t)fd < multi->socket_slots ? multi->sockets[fd] : NULL;
}

static bool make_slot(struct cnk_multi *multi, int fd)
{
  if ((size_t)fd < multi->socket_slots)
    return true;
  size_t slots = (size_t)fd + 64;
  struct cnk_socket **sockets = realloc(multi->sockets, slots * sizeof *sockets); // NOLINT(bugprone-sizeof-expression)
  if (!sockets)
    return false;
  for (size_t i = multi->socket_slots; i < slots; i++)
    sockets[i] = NULL;
  multi->sockets = sockets;
  multi->socket_slots = slots;
  return true;
}

static void forget(struct cnk_multi *multi, struct cnk_socket *socket)
{
  multi->sockets[socket->fd] = NULL;
  uv_close((uv_handle_t *)&socket->poll, free_socket);
}

static struct cnk_socket *watch(struct cnk_multi *multi, int fd, bool is_ours)
{
  struct cnk_socket *known = find(multi, fd);
  if (known) /* closed behind our back, and its number given out again */
    forget(multi, known);
  struct cnk_socket *socket = make_slot(multi, fd) ? calloc(1, sizeof *socket) : NULL;
  if (!socket)
    return NULL;
  if (uv_poll_init(&multi->loop->uv, &socket->poll, fd) != 0) {
    free(socket);
    return NULL;
  }
  uv_unref((uv_handle_t *)&socket->poll); /* an idle connection keeps nothing alive */
  socket->poll.data = socket;
  socket->multi = multi;
  socket->fd = fd;
  socket->is_ours = is_ours;
  multi->sockets[fd] = socket;
  return socket;
}

/* libcurl takes its interest back. */
static void rest(struct cnk_socket *socket)
{
  socket->wanted = 0;
  if (socket->is_kept)
    return;
  uv_poll_stop(&socket->poll);
  socket->polled = 0;
  socket->has_rested = true;
}

/* Tells what has ended. The message is gone after any other call to libcurl, so it is copied first. */
static void drain(struct cnk_multi *multi)
{
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi->curl, &left));)
    if (message->msg == CURLMSG_DONE) {
      CURL *easy = message->easy_handle;
      CURLcode code = message->data.result;
      multi->on_over(multi, easy, code);
    }
}

static void act(struct cnk_multi *multi, curl_socket_t fd, int events)
{
  int running;
  curl_multi_socket_action(multi->curl, fd, events, &running);
  drain(multi);
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_wanted(struct cnk_socket *socket)
{
  if (socket->polled == socket->wanted)
    return;
  socket->polled = socket->wanted;
  uv_poll_start(&socket->poll, socket->wanted, on_poll);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
  struct cnk_socket *socket = poll->data;
  struct cnk_multi *multi = socket->multi;
  int fd = socket->fd;
  if (status < 0)
    socket->polled = 0; /* libuv stops polling after an error */
  if (!socket->wanted) {
    uv_poll_stop(poll); /* it rested, and its peer spoke or left: libcurl looks before it uses it again */
    socket->polled = 0;
    return;
  }
  int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
  if (socket->is_taken)
    multi->on_ready(socket->owner, status < 0 ? UV_READABLE : events);
  else
    act(multi, fd, status < 0 ? 0 : flags); /* 0: libcurl looks for itself, and reads what came before the error */
  socket = find(multi, fd);                 /* it may be gone */
  if (socket && socket->wanted)
    poll_wanted(socket);
}

static void on_timer(uv_timer_t *timer)
{
  act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_keeper(uv_check_t *keeper)
{
  (void)keeper;
}

/* ---- called by libcurl: only record ------------------------------------------------------------------------------ */

static int note_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *unused)
{
  (void)easy;
  (void)unused;
  struct cnk_multi *multi = user;
  struct cnk_socket *socket = find(multi, fd);
  if (socket && socket->is_taken)
    return 0;
  if (what == CURL_POLL_REMOVE) {
    if (socket && socket->is_ours)
      rest(socket);
    else if (socket)
      forget(multi, socket);
    return 0;
  }
  if (!socket)
    socket = watch(multi, fd, false);
  if (!socket)
    return -1;
  socket->is_kept |= socket->has_rested;
  socket->wanted = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
  poll_wanted(socket);
  return 0;
}

static int note_timer(CURLM *curl, long timeout_ms, void *user)
{
  (void)curl;
  struct cnk_multi *multi = user;
  if (timeout_ms < 0) {
    uv_timer_stop(&multi->timer);
    return 0;
  }
  /* One millisecond more than asked: libuv's clock is cut to whole ones, and libcurl does not ask again when it is
   * woken too early. */
  uv_update_time(&multi->loop->uv);
  uv_timer_start(&multi->timer, on_timer, timeout_ms > 0 ? (uint64_t)timeout_ms + 1 : 0, 0);
  return 0;
}

static curl_socket_t open_socket(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
  (void)purpose;
  int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0)
    return CURL_SOCKET_BAD;
  if (!watch(user, fd, true)) {
    close(fd);
    return CURL_SOCKET_BAD;
  }
  return fd;
}

static int close_socket(void *user, curl_socket_t fd)
{
  struct cnk_multi *multi = user;
  struct cnk_socket *socket = find(multi, fd);
  if (socket)
    forget(multi, socket); /* before the number can be given out again */
  return close(fd);
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void on_handle_closed(uv_handle_t *handle)
{
  struct cnk_multi *multi = handle->data;
  if (--multi->open_handles > 0)
    return;
  free(multi->sockets);
  multi->sockets = NULL;
  multi->on_closed(multi);
}

static void init_curl(void)
{
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

bool cnk_multi_init(struct cnk_multi *multi, struct cnk_loop *loop)
{
  static uv_once_t once = UV_ONCE_INIT;
  uv_once(&once, init_curl);
  multi->loop = loop;
  multi->curl = curl_multi_init();
  if (!multi->curl)
    return false;
  curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, note_socket);
  curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
  curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, note_timer);
  curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
  curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)MOST_CONNECTIONS);
  uv_timer_init(&loop->uv, &multi->timer);
  uv_check_init(&loop->uv, &multi->keeper);
  uv_unref((uv_handle_t *)&multi->timer); /* the keeper alone decides whether the loop goes on */
  multi->timer.data = multi->keeper.data = multi;
  multi->open_handles = 2;
  return true;
}

void cnk_multi_deinit(struct cnk_multi *multi)
{
  curl_multi_cleanup(multi->curl);
  multi->curl = NULL;
  for (size_t fd = 0; fd < multi->socket_slots; fd++)
    if (multi->sockets[fd])
      forget(multi, multi->sockets[fd]);
  uv_close((uv_handle_t *)&multi->timer, on_handle_closed);
  uv_close((uv_handle_t *)&multi->keeper, on_handle_closed);
}

CURLcode cnk_multi_adopt(struct cnk_multi *multi, CURL *easy)
{
  CURLcode code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, multi);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  if (code == CURLE_OK)
    code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, multi);
  return code;
}

bool cnk_multi_add(struct cnk_multi *multi, CURL *easy)
{
  if (curl_multi_add_handle(multi->curl, easy) != CURLM_OK)
    return false;
  if (multi->transfers++ == 0)
    uv_check_start(&multi->keeper, on_keeper);
  return true;
}

void cnk_multi_remove(struct cnk_multi *multi, CURL *easy)
{
  curl_multi_remove_handle(multi->curl, easy);
  if (--multi->transfers == 0)
    uv_check_stop(&multi->keeper);
}

bool cnk_multi_take(struct cnk_multi *multi, curl_socket_t fd, void *owner)
{
  struct cnk_socket *socket = find(multi, fd);
  if (!socket || !socket->is_ours)
    return false;
  socket->is_taken = true;
  socket->owner = owner;
  cnk_multi_poll(multi, fd, UV_READABLE);
  return true;
}

void cnk_multi_poll(struct cnk_multi *multi, curl_socket_t fd, int events)
{
  struct cnk_socket *socket = find(multi, fd);
  if (!socket)
    return;
  socket->wanted = events;
  poll_wanted(socket);
}
