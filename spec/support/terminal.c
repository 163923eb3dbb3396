/* SPDX-License-Identifier: MIT */
/*
 * A pseudo-terminal for specs, as the Lua module `terminal`: runs a program on one, types, reads what it writes, changes its size,
 * and asks for its modes. Nothing here waits: a spec looks again while its loop goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define TERMINAL "spec.terminal"
#define MOST_WORDS 64

struct terminal {
  int master, slave;
  pid_t child; /* 0 when it has been waited for */
  int status;
};

static struct terminal *check_terminal(lua_State *L)
{
  return luaL_checkudata(L, 1, TERMINAL);
}

static void set_size(const struct terminal *it, int columns, int rows)
{
  struct winsize size = {.ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows};
  ioctl(it->master, TIOCSWINSZ, &size);
}

static void run_child(const char *slave, char *const words[])
{
  setsid();
  int fd = open(slave, O_RDWR);
  if (fd < 0)
    _exit(126);
  ioctl(fd, TIOCSCTTY, 0);
  for (int i = 0; i < 3; i++)
    dup2(fd, i);
  for (int i = 3; i < 256; i++)
    close(i);
  execvp(words[0], words);
  _exit(127);
}

/* terminal.run(words, columns) -> terminal */
static int run(lua_State *L)
{
  char *words[MOST_WORDS + 1] = {NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  int columns = (int)luaL_optinteger(L, 2, 80);
  lua_Integer count = luaL_len(L, 1);
  luaL_argcheck(L, count > 0 && count <= MOST_WORDS, 1, "too few or too many words");
  luaL_checkstack(L, MOST_WORDS, NULL);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_geti(L, 1, i);
    words[i - 1] = (char *)luaL_checkstring(L, -1);
  }
  struct terminal *it = lua_newuserdatauv(L, sizeof *it, 0);
  memset(it, 0, sizeof *it);
  it->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (it->master < 0 || grantpt(it->master) != 0 || unlockpt(it->master) != 0)
    return luaL_error(L, "no pseudo-terminal: %s", strerror(errno));
  luaL_setmetatable(L, TERMINAL);
  const char *slave = ptsname(it->master);
  it->slave = open(slave, O_RDWR | O_NOCTTY | O_CLOEXEC); /* its modes can be asked for when the program has ended */
  set_size(it, columns, 24);
  it->child = fork();
  if (it->child == 0)
    run_child(slave, words);
  return 1;
}

/* terminal:read() -> what was written since */
static int read_some(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  char bytes[4096];
  ssize_t count;
  while ((count = read(it->master, bytes, sizeof bytes)) > 0)
    luaL_addlstring(&buffer, bytes, (size_t)count);
  luaL_pushresult(&buffer);
  return 1;
}

/* terminal:type(text) */
static int type_text(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  size_t size = 0;
  const char *text = luaL_checklstring(L, 2, &size);
  if (write(it->master, text, size) != (ssize_t)size)
    return luaL_error(L, "cannot type: %s", strerror(errno));
  return 0;
}

/* terminal:resize(columns) */
static int resize(lua_State *L)
{
  set_size(check_terminal(L), (int)luaL_checkinteger(L, 2), 24);
  return 0;
}

/* terminal:is_cooked() -> whether lines are echoed and edited by the system, as before a program changed that */
static int is_cooked(lua_State *L)
{
  struct termios modes;
  const tcflag_t usual = ECHO | ICANON | ISIG;
  lua_pushboolean(L, tcgetattr(check_terminal(L)->slave, &modes) == 0 && (modes.c_lflag & usual) == usual);
  return 1;
}

/* terminal:set_cooked(): as a shell does whose program was stopped */
static int set_cooked(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  struct termios modes;
  if (tcgetattr(it->slave, &modes) == 0) {
    modes.c_lflag |= ECHO | ICANON | ISIG;
    tcsetattr(it->slave, TCSANOW, &modes);
  }
  return 0;
}

/* terminal:signal("STOP" or "CONT") */
static int send_signal(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  if (it->child)
    kill(it->child, strcmp(luaL_checkstring(L, 2), "STOP") == 0 ? SIGSTOP : SIGCONT);
  return 0;
}

/* terminal:ended() -> exit code, or the negative signal; nil while it runs */
static int ended(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  if (it->child && waitpid(it->child, &it->status, WNOHANG) == it->child)
    it->child = 0;
  if (it->child)
    return 0;
  lua_pushinteger(L, WIFEXITED(it->status) ? WEXITSTATUS(it->status) : -WTERMSIG(it->status));
  return 1;
}

static int close_terminal(lua_State *L)
{
  struct terminal *it = check_terminal(L);
  if (it->child) {
    kill(it->child, SIGKILL);
    waitpid(it->child, &it->status, 0);
    it->child = 0;
  }
  if (it->master >= 0)
    close(it->master);
  if (it->slave >= 0)
    close(it->slave);
  it->master = it->slave = -1;
  return 0;
}

__attribute__((visibility("default"))) int luaopen_terminal(lua_State *L);

int luaopen_terminal(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"run", run },
      {NULL,  NULL}
  };
  static const luaL_Reg methods[] = {
      {"read",       read_some     },
      {"type",       type_text     },
      {"resize",     resize        },
      {"is_cooked",  is_cooked     },
      {"set_cooked", set_cooked    },
      {"signal",     send_signal   },
      {"ended",      ended         },
      {"close",      close_terminal},
      {NULL,         NULL          }
  };
  luaL_newmetatable(L, TERMINAL);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, close_terminal);
  lua_setfield(L, -2, "__gc");
  luaL_newlib(L, functions);
  return 1;
}
