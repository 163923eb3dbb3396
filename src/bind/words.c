/* SPDX-License-Identifier: MIT */
/* The Lua face of whatsapp/words.h: the form in which words that people type are compared. */
#include "bind/bind.h"

#include "whatsapp/words.h"

/* core.fold(text, is_trimmed) -> text; see words.h. A text that is its own folded form is returned as it is. */
static int fold(lua_State *L)
{
  struct cnk_text text;
  text.data = luaL_checklstring(L, 1, &text.size);
  bool is_trimmed = lua_toboolean(L, 2);
  struct cnk_words_plan plan = cnk_words_plan(text);
  luaL_Buffer buffer;
  if (plan.how != CNK_WORDS_SAME) {
    char *room = luaL_buffinitsize(L, &buffer, plan.room);
    text = (struct cnk_text){room, cnk_words_fold(text, plan, room)};
  }
  struct cnk_text folded = is_trimmed ? cnk_words_trim(text) : text;
  if (plan.how == CNK_WORDS_SAME && folded.size == text.size)
    lua_settop(L, 1);
  else
    lua_pushlstring(L, folded.data, folded.size);
  return 1;
}

static const luaL_Reg functions[] = {
    {"fold", fold},
    {NULL,   NULL},
};

void cnk_bind_open_words(lua_State *L)
{
  luaL_setfuncs(L, functions, 0);
}
