/* SPDX-License-Identifier: MIT */
/* The Lua face of src/terminal/: widths, and a line that is being edited. */
#include "bind/bind.h"

#include <string.h>
#include <unistd.h>

#include "terminal/columns.h"
#include "terminal/editor.h"

#define EDITOR "cunnekt.editor"

struct lua_editor {
  struct cnk_editor *it; /* NULL when it is closed */
  struct cnk_buffer text;
};

static struct lua_editor *check_editor(lua_State *L)
{
  struct lua_editor *face = luaL_checkudata(L, 1, EDITOR);
  luaL_argcheck(L, face->it, 1, "the editor is closed");
  return face;
}

/* core.columns(text) -> the columns that it takes on a terminal */
static int columns(lua_State *L)
{
  size_t size = 0;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_pushinteger(L, (lua_Integer)cnk_columns_of(text, size));
  return 1;
}

/* core.terminal_columns() -> the columns of standard output, or nil */
static int terminal_columns(lua_State *L)
{
  unsigned found = cnk_columns_of_terminal(STDOUT_FILENO);
  if (found == 0)
    return 0;
  lua_pushinteger(L, (lua_Integer)found);
  return 1;
}

/* core.editor(prompt) -> editor, or nil where there is none */
static int new_editor(lua_State *L)
{
  const char *prompt = luaL_checkstring(L, 1);
  struct lua_editor *face = lua_newuserdatauv(L, sizeof *face, 0);
  memset(face, 0, sizeof *face);
  luaL_setmetatable(L, EDITOR);
  face->it = cnk_editor_new(prompt);
  if (!face->it)
    lua_pushnil(L);
  return 1;
}

static int close_editor(lua_State *L)
{
  struct lua_editor *face = luaL_checkudata(L, 1, EDITOR);
  cnk_editor_free(face->it);
  face->it = NULL;
  cnk_buffer_reset(&face->text, 0);
  return 0;
}

/* editor:feed(bytes) */
static int feed(lua_State *L)
{
  struct lua_editor *face = check_editor(L);
  size_t size = 0;
  const char *bytes = luaL_checklstring(L, 2, &size);
  if (!cnk_editor_feed(face->it, bytes, size))
    return luaL_error(L, "not enough memory");
  return 0;
}

/* editor:next() -> "line" or "complete", and a text; "end"; or nil */
static int next_event(lua_State *L)
{
  static const char *const names[] = {
      [CNK_EDITOR_LINE] = "line", [CNK_EDITOR_END] = "end", [CNK_EDITOR_COMPLETE] = "complete"};
  struct lua_editor *face = check_editor(L);
  face->text.size = 0;
  enum cnk_editor_event event = cnk_editor_next(face->it, &face->text);
  if (event == CNK_EDITOR_NO_MEMORY)
    return luaL_error(L, "not enough memory");
  if (event == CNK_EDITOR_MORE)
    return 0;
  lua_pushstring(L, names[event]);
  lua_pushlstring(L, face->text.data ? face->text.data : "", face->text.size);
  return 2;
}

/* editor:insert(text) */
static int insert(lua_State *L)
{
  cnk_editor_insert(check_editor(L)->it, luaL_checkstring(L, 2));
  return 0;
}

/* editor:set_prompt(text) */
static int set_prompt(lua_State *L)
{
  if (!cnk_editor_set_prompt(check_editor(L)->it, luaL_checkstring(L, 2)))
    return luaL_error(L, "not enough memory");
  return 0;
}

static int hide(lua_State *L)
{
  cnk_editor_hide(check_editor(L)->it);
  return 0;
}

static int show(lua_State *L)
{
  cnk_editor_show(check_editor(L)->it);
  return 0;
}

static int resume(lua_State *L)
{
  cnk_editor_resume(check_editor(L)->it);
  return 0;
}

void cnk_bind_open_terminal(lua_State *L)
{
  static const luaL_Reg functions[] = {
      {"columns",          columns         },
      {"terminal_columns", terminal_columns},
      {"editor",           new_editor      },
      {NULL,               NULL            }
  };
  static const luaL_Reg methods[] = {
      {"feed",       feed        },
      {"next",       next_event  },
      {"insert",     insert      },
      {"set_prompt", set_prompt  },
      {"hide",       hide        },
      {"show",       show        },
      {"resume",     resume      },
      {"close",      close_editor},
      {NULL,         NULL        }
  };
  cnk_bind_class(L, EDITOR, methods, close_editor);
  luaL_setfuncs(L, functions, 0);
}
