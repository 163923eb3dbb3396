/* SPDX-License-Identifier: MIT */
/*
 * Processes for the torture tests: started without a shell, killed by their id, reaped. A child ends with its parent,
 * whatever ends that, so that a test that is broken off leaves nothing behind. Linux only; a test helper: errors raise.
 */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fail(lua_State *L, const char *what)
{
  return luaL_error(L, "%s: %s", what, strerror(errno));
}

/* The strings of a list; they live as long as the table does. */
static char **read_list(lua_State *L, int table, size_t more)
{
  lua_Integer count = luaL_len(L, table);
  char **list = lua_newuserdatauv(L, ((size_t)count + more + 1) * sizeof *list, 0);
  for (lua_Integer i = 0; i < count; i++) {
    lua_geti(L, table, i + 1);
    list[i] = (char *)luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  list[count] = NULL;
  return list;
}

static size_t count_environment(void)
{
  size_t count = 0;
  while (environ[count])
    count++;
  return count;
}

/* The settings of whoever runs the tests must not reach what is tested. */
static char **read_environment(lua_State *L, int table)
{
  char **list = read_list(L, table, count_environment());
  size_t count = (size_t)luaL_len(L, table);
  for (char **entry = environ; *entry; entry++)
    if (strncmp(*entry, "CUNNEKT_", 8) != 0 && strncmp(*entry, "CRASH_", 6) != 0)
      list[count++] = *entry;
  list[count] = NULL;
  return list;
}

/* In the child: nothing here may allocate. */
static void become(char **words, char **environment, const char *folder, int output, pid_t parent)
{
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || (*folder && chdir(folder) != 0))
    _exit(126);
  int input = open("/dev/null", O_RDONLY);
  dup2(input, 0);
  dup2(output, 1);
  dup2(output, 2);
  close_range(3, ~0U, 0);
  execve(words[0], words, environment);
  _exit(127);
}

/* child.start(words, environment, folder, log) -> pid. `environment` is a list of "NAME=value", put before what is
 * inherited; standard output and error are appended to the file `log`. */
static int start(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  const char *folder = luaL_checkstring(L, 3);
  int output = open(luaL_checkstring(L, 4), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0)
    return fail(L, lua_tostring(L, 4));
  char **words = read_list(L, 1, 0), **environment = read_environment(L, 2);
  pid_t parent = getpid(), pid = fork();
  if (pid == 0)
    become(words, environment, folder, output, parent);
  close(output);
  if (pid < 0)
    return fail(L, "fork");
  lua_pushinteger(L, pid);
  return 1;
}

/* child.kill(pid, number) */
static int kill_child(lua_State *L)
{
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  luaL_argcheck(L, pid > 1, 1, "not a child");
  kill(pid, (int)luaL_checkinteger(L, 2));
  return 0;
}

/* child.wait(pid, is_blocking) -> nil while it runs; "exit", code; "signal", number */
static int wait_for(lua_State *L)
{
  int status = 0;
  pid_t pid = waitpid((pid_t)luaL_checkinteger(L, 1), &status, lua_toboolean(L, 2) ? 0 : WNOHANG);
  if (pid < 0)
    return fail(L, "waitpid");
  if (pid == 0)
    return 0;
  lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
  lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  return 2;
}

static const luaL_Reg functions[] = {
    {"start", start     },
    {"kill",  kill_child},
    {"wait",  wait_for  },
    {NULL,    NULL      },
};

__attribute__((visibility("default"))) int luaopen_child(lua_State *L);

int luaopen_child(lua_State *L)
{
  luaL_newlib(L, functions);
  return 1;
}
