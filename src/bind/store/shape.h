/* SPDX-License-Identifier: MIT */
/*
 * How a C struct of store.h looks as a Lua table: its fields by name. One reader and one writer serve all verbs.
 * Internal to the bindings.
 */
#ifndef CNK_BIND_SHAPE_H
#define CNK_BIND_SHAPE_H

#include <lua.h>

#include "store/arena.h"

enum cnk_field_kind {
  CNK_FIELD_INTEGER,  /* int64_t; absent: 0 */
  CNK_FIELD_REAL,     /* double; absent: NAN */
  CNK_FIELD_TIME,     /* double; absent: now */
  CNK_FIELD_TEXT,     /* struct cnk_text; absent: none */
  CNK_FIELD_BOOLEAN,  /* bool */
  CNK_FIELD_WORD,     /* int64_t: the place among `words`, the first of which is `first_word` */
  CNK_FIELD_INTEGERS, /* CNK_ITEMS(int64_t) */
  CNK_FIELD_LIST,     /* CNK_ITEMS of structs of `shape` */
  CNK_FIELD_OBJECT,   /* pointer to a struct of `shape`; absent: NULL */
};

struct cnk_shape;

struct cnk_field {
  const char *name;
  enum cnk_field_kind kind;
  size_t offset;
  bool is_out;    /* written after the call, not read before it */
  bool is_needed; /* its absence raises */
  const struct cnk_shape *shape;
  const char *const *words;
  int first_word;
  int key; /* the place of its name in the list of names */
};

struct cnk_shape {
  const char *name; /* for errors */
  size_t size;
  bool has_out; /* in itself, or in what it holds */
  struct cnk_field *fields;
  size_t count;
};

/* Names are strings of Lua that are made once, for making one costs more than looking it up: pushes the list of them. */
void cnk_shape_push_names(lua_State *L);
/* Puts the names of a shape's fields, and of all that it holds, into that list. */
void cnk_shape_name(lua_State *L, const struct cnk_shape *shape);

struct cnk_shape_reader {
  lua_State *L;
  int names;  /* where the list of names is on the stack */
  double now; /* for times that are absent */
  struct cnk_arena *arena;
};

/* Reads the table at `index` into the zeroed struct `to`. Raises where a field does not fit, or memory is out. */
void cnk_shape_read(const struct cnk_shape_reader *reader, int index, const struct cnk_shape *shape, void *to);

/* Sets the fields that are out in the table at `index`, from which `from` was read. */
void cnk_shape_write(lua_State *L, int names, int index, const struct cnk_shape *shape, const void *from);

#endif
