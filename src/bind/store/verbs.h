/* SPDX-License-Identifier: MIT */
/* What the files of the store's Lua face share. Internal to the bindings. */
#ifndef CNK_BIND_STORE_VERBS_H
#define CNK_BIND_STORE_VERBS_H

#include "bind/bind.h"
#include "bind/store/shape.h"
#include "store/store.h"

struct cnk_bind_store {
  struct cnk_loop *loop;
  struct cnk_store *store;         /* NULL when closed */
  struct cnk_store_call *building; /* kept here, so that an error while it is filled loses nothing */
};

#define CNK_BIND_STORE "cunnekt.store"

/* call.c: the open store at index 1; raises where it is closed. Its first user value is a table that finds names of queries. */
struct cnk_bind_store *cnk_bind_check_store(lua_State *L);
/* The same; where it is closed NULL, with nil, a sentence and a code pushed. */
struct cnk_bind_store *cnk_bind_find_store(lua_State *L);

/* shapes.c: the method's name and the table's shape of each verb with a plain request; NULL for a query and a repair. */
struct cnk_verb_shape {
  const char *method;
  enum cnk_verb verb;
  const struct cnk_shape *shape;
};
extern const struct cnk_verb_shape cnk_verb_shapes[];
extern const size_t cnk_verb_shapes_count;

/* call.c: begins a call in face->building; and gives it to the store, to be delivered to the function at 3, with the table
 * at 2 kept until then. The results of the method. */
struct cnk_store_call *cnk_bind_begin_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb);
int cnk_bind_run_call(lua_State *L, struct cnk_bind_store *face);

/* The same for arguments that are wherever the method has them: begins a call, and gives it to the store, to be delivered to the
 * function at `done`, which gets the value at `subject` first, and then true, or nil and an error. `is_quiet`: it only hears of a
 * failure. */
struct cnk_store_call *cnk_bind_new_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb);
int cnk_bind_run_plain(lua_State *L, struct cnk_bind_store *face, int done, int subject, bool is_quiet);

/* call.c, plain.c, query.c: add the methods to the table on top of the stack. */
void cnk_bind_add_verbs(lua_State *L);
void cnk_bind_add_plain(lua_State *L);
void cnk_bind_add_queries(lua_State *L);

/* answer.c: pushes what a query or a repair that has worked gives. */
void cnk_bind_push_rows(lua_State *L, const struct cnk_query *query);
void cnk_bind_push_changed(lua_State *L, const struct cnk_repair *repair);

#endif
