/* SPDX-License-Identifier: MIT */
/* What the files of the store's Lua face share. Internal to the bindings. */
#ifndef CNK_BIND_STORE_VERBS_H
#define CNK_BIND_STORE_VERBS_H

#include "bind/bind.h"
#include "bind/store/shape.h"
#include "store/store.h"

struct cnk_bind_store {
  void *self; /* see cnk_bind_self */
  struct cnk_loop *loop;
  struct cnk_store *store;         /* NULL when closed */
  struct cnk_store_call *building; /* kept here, so that an error while it is filled loses nothing */
};

#define CNK_BIND_STORE "cunnekt.store"

/* call.c: the open store at index 1; raises where it is closed. Its first user value is a table that finds names of queries. */
struct cnk_bind_store *cnk_bind_check_store(lua_State *L);
/* The same; where it is closed NULL, with nil, a sentence and a code pushed. */
struct cnk_bind_store *cnk_bind_find_store(lua_State *L);

/* Pushes what a call that was committed gives to its callback; the subject is at 2, and values at the top. Gives how many. */
struct cnk_bind_form {
  int (*push)(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form);
};

/* answer.c: of a verb with a plain request; sets in its table what is out. */
int cnk_bind_push_out_fields(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form);

/* shapes.c: the method's name and the table's shape of each verb with a plain request. */
struct cnk_verb_shape {
  struct cnk_bind_form form; /* the first member */
  const char *method;
  enum cnk_verb verb;
  const struct cnk_shape *shape;
};
extern const struct cnk_verb_shape cnk_verb_shapes[];
extern const size_t cnk_verb_shapes_count;

/* call.c: begins a call in face->building, which any other call ends: no Lua may run until it is given to the store. The first
 * gives NULL without memory, the second raises. */
struct cnk_store_call *cnk_bind_try_call(struct cnk_bind_store *face, enum cnk_verb verb);
struct cnk_store_call *cnk_bind_new_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb);
/* The same for a method whose request is the table at 2, and whose callback is at 3; raises without memory. */
struct cnk_store_call *cnk_bind_begin_call(lua_State *L, struct cnk_bind_store *face, enum cnk_verb verb);
/* Gives the call to the store, to be answered in that form to the function at `callback`, with the value at `subject` kept
 * until then. Pushes true; or nil, a sentence and a code. Gives how many. */
int cnk_bind_run_call(lua_State *L, struct cnk_bind_store *face, int subject, int callback,
                      const struct cnk_bind_form *form);

/* Gives the call to the store, to be delivered to the function at `done`, which gets the value at `subject` first, and then true,
 * or nil and an error. `is_quiet`: it only hears of a failure. */
int cnk_bind_run_plain(lua_State *L, struct cnk_bind_store *face, int done, int subject, bool is_quiet);

/* plain.c: commit_turn of a turn that only finishes an event and queues messages, and may let a dialog wait again; answered as
 * cnk_bind_run_plain says, with the sequence of a question. `rows`, `part`: where they are; 0: there are none. */
struct cnk_plain_turn {
  int64_t event, joins;
  int rows, part;
};
int cnk_bind_commit_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_plain_turn *plain, int done,
                          int subject);

/* The same for mark_sending of one message, answered as cnk_bind_run_plain says; and a settle of one that was accepted, without track
 * and reason, of which only a failure is told. The texts are copied. */
int cnk_bind_mark_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_mark *mark, int done, int subject);
int cnk_bind_accepted_plain(lua_State *L, struct cnk_bind_store *face, const struct cnk_outcome *accepted, int done,
                            int subject);

/* call.c, plain.c, query.c: add the methods to the table on top of the stack. */
void cnk_bind_add_verbs(lua_State *L);
void cnk_bind_add_plain(lua_State *L);
void cnk_bind_add_queries(lua_State *L);

/* answer.c: of a query, and of a repair. */
extern const struct cnk_bind_form cnk_bind_rows_form, cnk_bind_changed_form;

#endif
