/* SPDX-License-Identifier: MIT */
/*
 * A TCP client for specs that must say exactly these bytes, in exactly these pieces, and a server on a Unix socket that
 * does: nothing is waited for but in wait(), so that client and server live in one process. A test helper: errors raise.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENT "rawclient"

static int *check(lua_State *L)
{
  int *fd = luaL_checkudata(L, 1, CLIENT);
  if (*fd < 0)
    luaL_error(L, "the client is closed");
  return fd;
}

static int fail(lua_State *L)
{
  return luaL_error(L, "%s", strerror(errno));
}

/* A signal, such as the fuzzer's alarm, interrupts the wait but not the connecting. */
static bool has_connected(int fd, const struct sockaddr *address, socklen_t size)
{
  while (connect(fd, address, size) != 0) {
    if (errno == EISCONN)
      return true;
    if (errno != EINTR && errno != EALREADY)
      return false;
  }
  return true;
}

/* rawclient.connect(host, port) -> client; the loopback's backlog accepts at once. */
static int connect_to(lua_State *L)
{
  const char *host = luaL_checkstring(L, 1);
  int port = (int)luaL_checkinteger(L, 2), on = 1;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  int is_v4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
  if (!is_v4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
    return luaL_error(L, "no address: %s", host);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, CLIENT);
  *fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const struct sockaddr *address = is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6;
  if (*fd < 0 || !has_connected(*fd, address, is_v4 ? sizeof v4 : sizeof v6))
    return fail(L);
  setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return 1;
}

/* rawclient.listen(path) -> server on a Unix socket, which knows accept() and close() */
static int listen_on(lua_State *L)
{
  size_t size;
  const char *path = luaL_checklstring(L, 1, &size);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  luaL_argcheck(L, size < sizeof address.sun_path, 1, "too long");
  memcpy(address.sun_path, path, size);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, CLIENT);
  *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  unlink(path);
  if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(*fd, 64) != 0)
    return fail(L);
  return 1;
}

/* server:accept() -> client, or nil when nobody waits */
static int accept_one(lua_State *L)
{
  int server = *check(L);
  int *fd = lua_newuserdatauv(L, sizeof *fd, 0);
  *fd = -1;
  luaL_setmetatable(L, CLIENT);
  *fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
  if (*fd < 0)
    luaL_pushfail(L);
  return 1;
}

/* client:send(data) -> bytes taken, or nil when the other side is gone */
static int send_some(lua_State *L)
{
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);
  ssize_t sent = send(*check(L), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    luaL_pushfail(L);
    return 1;
  }
  lua_pushinteger(L, sent < 0 ? 0 : sent);
  return 1;
}

/* client:receive() -> data, "" when there is none yet, or nil at the end */
static int receive_some(lua_State *L)
{
  char data[65536];
  ssize_t size = recv(*check(L), data, sizeof data, MSG_DONTWAIT);
  if (size > 0)
    lua_pushlstring(L, data, (size_t)size);
  else if (size < 0 && (errno == EAGAIN || errno == EINTR))
    lua_pushliteral(L, "");
  else
    luaL_pushfail(L);
  return 1;
}

/* client:finish(): says that nothing more will be sent. */
static int finish(lua_State *L)
{
  shutdown(*check(L), SHUT_WR);
  return 0;
}

/* client:deafen(): will receive nothing more, which the other side finds out when it sends. */
static int deafen(lua_State *L)
{
  shutdown(*check(L), SHUT_RD);
  return 0;
}

static int close_client(lua_State *L)
{
  int *fd = luaL_checkudata(L, 1, CLIENT);
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
  return 0;
}

/* client:reset(): leaves with an RST. */
static int reset(lua_State *L)
{
  struct linger now = {.l_onoff = 1, .l_linger = 0};
  setsockopt(*check(L), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  return close_client(L);
}

/* client:wait(milliseconds) -> true when there is something to receive, or the end */
static int wait_for(lua_State *L)
{
  struct pollfd look = {.fd = *check(L), .events = POLLIN};
  lua_pushboolean(L, poll(&look, 1, (int)luaL_checkinteger(L, 2)) > 0);
  return 1;
}

static const luaL_Reg methods[] = {
    {"accept",  accept_one  },
    {"send",    send_some   },
    {"receive", receive_some},
    {"finish",  finish      },
    {"deafen",  deafen      },
    {"reset",   reset       },
    {"wait",    wait_for    },
    {"close",   close_client},
    {NULL,      NULL        },
};

__attribute__((visibility("default"))) int luaopen_rawclient(lua_State *L);

int luaopen_rawclient(lua_State *L)
{
  luaL_newmetatable(L, CLIENT);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close_client);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  lua_pushcfunction(L, connect_to);
  lua_setfield(L, -2, "connect");
  lua_pushcfunction(L, listen_on);
  lua_setfield(L, -2, "listen");
  return 1;
}
