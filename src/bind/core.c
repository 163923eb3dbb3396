/* SPDX-License-Identifier: MIT */
/* luaopen_cunnekt_core: the module table, to which each face adds its functions. Nothing here is called by a face. */
#include "bind/core.h"

#include "bind/bind.h"
#include "store/store.h"

void cnk_core_own_process(void)
{
  cnk_store_own_process();
}

int luaopen_cunnekt_core(lua_State *L)
{
  lua_newtable(L);
  cnk_bind_open_state(L); /* first: the others need its loop */
  cnk_bind_open_loop(L);
  cnk_bind_open_clock(L);
  cnk_bind_open_http(L);
  cnk_bind_open_stdin(L);
  cnk_bind_open_json(L);
  cnk_bind_open_encode(L);
  cnk_bind_open_mark(L);
  cnk_bind_open_webhook(L);
  cnk_bind_open_digest(L);
  cnk_bind_open_file(L);
  cnk_bind_open_listener(L);
  cnk_bind_open_store(L);
  cnk_bind_open_system(L);
  cnk_bind_open_identity(L);
  cnk_bind_open_words(L);
  cnk_bind_open_budget(L);
  cnk_bind_open_message(L);
  cnk_bind_open_tasks(L);
  cnk_bind_open_limiter(L);
  cnk_bind_open_lanes(L);
  cnk_bind_open_rows(L);
  cnk_bind_open_sent(L);
  cnk_bind_open_outbox(L);
  cnk_bind_open_turns(L);
  cnk_bind_open_inbox(L);
  cnk_bind_open_terminal(L);
  return 1;
}
