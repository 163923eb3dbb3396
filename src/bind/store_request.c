/* SPDX-License-Identifier: MIT */
/*
 * Requests of the store in Lua: tables of statements, read straight into a request's memory, and the results that `done`
 * gets. Runs no statement: that is the store's part, see store/sqlite/request.h.
 */
#include <string.h>

#include "bind/store.h"

/* A table of rows is made in one go on the loop's thread; more than this belongs into several requests. */
enum { ROWS_MAX = 10000, ROWS_MAX_LIMIT = 1000000 };

enum want { WANT_NOTHING, WANT_CHANGES, WANT_ROWID, WANT_ROWS };
static const char *const wants[] = {"nothing", "changes", "rowid", "rows", NULL};

/* A statement with its options, as one integer: what prepare() gives. */
struct form {
  unsigned sql, flags, want, rows_max;
};

static lua_Integer pack(const struct form *form)
{
  return (lua_Integer)((uint64_t)form->rows_max << 32 | form->want << 24 | form->flags << 16 | form->sql);
}

static struct form unpack(lua_Integer integer)
{
  uint64_t bits = (uint64_t)integer;
  return (struct form){.sql = bits & 0xffff,
                       .flags = bits >> 16 & 0xff,
                       .want = (bits >> 24 & 0xff) > WANT_ROWS ? WANT_NOTHING : bits >> 24 & 0xff,
                       .rows_max = (unsigned)(bits >> 32)};
}

/* ---- statements ------------------------------------------------------------------------------------------------ */

/* Reads one option of a statement, its name at index -2 and its value at -1. */
static void read_option(lua_State *L, struct form *form)
{
  const char *name = lua_tostring(L, -2);
  if (strcmp(name, "if_changed") == 0 || strcmp(name, "must_change") == 0) {
    if (lua_toboolean(L, -1))
      form->flags |= *name == 'i' ? CNK_STATEMENT_IF_CHANGED : CNK_STATEMENT_MUST_CHANGE;
  } else if (strcmp(name, "max_rows") == 0) {
    lua_Integer rows = lua_tointeger(L, -1);
    if (rows < 1 || rows > ROWS_MAX_LIMIT)
      luaL_error(L, "max_rows must be from 1 to %d", ROWS_MAX_LIMIT);
    form->rows_max = (unsigned)rows;
  } else if (strcmp(name, "want") == 0) {
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    while (form->want <= WANT_ROWS && strcmp(wants[form->want], word) != 0)
      form->want++;
    if (form->want > WANT_ROWS)
      luaL_error(L, "want must be 'changes', 'rowid' or 'rows'");
    if (form->want == WANT_ROWS)
      form->flags |= CNK_STATEMENT_ROWS;
  } else {
    luaL_error(L, "unknown option '%s' of a statement", name);
  }
}

/* The options among the string keys of the table at `index`; `last` is its highest list position, or -1: any. */
static void read_options(lua_State *L, int index, struct form *form, int last)
{
  for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING)
      read_option(L, form);
    else if (last >= 0 && (!lua_isinteger(L, -2) || lua_tointeger(L, -2) > last || lua_tointeger(L, -2) < 1))
      luaL_error(L, "a statement has more parameters than its text has ?");
  }
}

/* The number of the text at `index`. Known texts are found in a table of the store: strings are compared by address. */
static unsigned intern(lua_State *L, struct cnk_bind_store *face, int index)
{
  lua_getiuservalue(L, 1, 1);
  lua_pushvalue(L, index);
  if (lua_rawget(L, -2) != LUA_TNUMBER) {
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    if (memchr(text, '\0', size))
      luaL_error(L, "a statement's text has a NUL byte in it");
    int sql = cnk_store_prepare(face->store, text, size);
    if (sql < 0)
      luaL_error(L, "too many different statements: values belong into parameters, not into the text");
    lua_pop(L, 1);
    lua_pushinteger(L, sql);
    lua_pushvalue(L, index);
    lua_pushinteger(L, sql);
    lua_rawset(L, -4);
  }
  unsigned sql = (unsigned)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return sql;
}

/* store:prepare(sql, options) -> integer, to stand for the text and its options in requests */
int cnk_bind_store_prepare(lua_State *L, struct cnk_bind_store *face)
{
  luaL_checktype(L, 2, LUA_TSTRING);
  struct form form = {.rows_max = ROWS_MAX};
  form.sql = intern(L, face, 2);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    read_options(L, 3, &form, -1);
  }
  lua_pushinteger(L, pack(&form));
  return 1;
}

/* ---- from a table to a request ------------------------------------------------------------------------------------- */

/* The table {ref = k, "rowid"} at `index`. */
static bool add_ref(lua_State *L, struct cnk_store_request *request, int index)
{
  lua_pushliteral(L, "ref");
  lua_rawget(L, index);
  lua_Integer k = lua_tointeger(L, -1);
  lua_rawgeti(L, index, 1);
  const char *what = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "rowid";
  enum cnk_ref_kind kind = *what == 'c' ? CNK_REF_CHANGES : *what == 'v' ? CNK_REF_VALUE : CNK_REF_ROWID;
  lua_pop(L, 2);
  if (k < 1 || (size_t)k >= request->count)
    luaL_error(L, "a parameter refers to statement %I, which is not an earlier one", k);
  return cnk_store_request_ref(request, (size_t)k - 1, kind);
}

static bool add_parameter(lua_State *L, struct cnk_store_request *request, int index)
{
  size_t size;
  const char *data;
  switch (lua_type(L, index)) {
  case LUA_TNIL: return cnk_store_request_null(request);
  case LUA_TBOOLEAN: return cnk_store_request_integer(request, lua_toboolean(L, index));
  case LUA_TNUMBER:
    return lua_isinteger(L, index) ? cnk_store_request_integer(request, lua_tointeger(L, index))
                                   : cnk_store_request_real(request, lua_tonumber(L, index));
  case LUA_TSTRING: data = lua_tolstring(L, index, &size); return cnk_store_request_bytes(request, data, size);
  case LUA_TTABLE: return add_ref(L, request, index);
  case LUA_TLIGHTUSERDATA: /* core.store_null, json.null */
    if (!lua_touserdata(L, index))
      return cnk_store_request_null(request);
  }
  return luaL_error(L, "a parameter cannot be a %s", luaL_typename(L, index));
}

/* The statement table at `index`. */
static bool add_statement(lua_State *L, struct cnk_bind_store *face, int index)
{
  struct cnk_store_request *request = face->building;
  struct form form = {.rows_max = ROWS_MAX};
  int type = lua_rawgeti(L, index, 1);
  bool is_prepared = type == LUA_TNUMBER;
  if (is_prepared)
    form = unpack(lua_tointeger(L, -1));
  else if (type == LUA_TSTRING)
    form.sql = intern(L, face, lua_gettop(L));
  else
    luaL_error(L, "a statement begins with its text, got %s", luaL_typename(L, -1));
  lua_pop(L, 1);
  int parameters = cnk_store_parameters(face->store, form.sql);
  if (parameters < 0)
    luaL_error(L, "not a prepared statement of this store");
  if (!is_prepared)
    read_options(L, index, &form, parameters + 1);
  if (!cnk_store_request_statement(request, form.sql, form.flags, form.rows_max))
    return false;
  request->statements[request->count - 1].want = (uint8_t)form.want;
  for (int i = 2; i <= parameters + 1; i++) {
    lua_rawgeti(L, index, i);
    bool is_added = add_parameter(L, request, lua_gettop(L));
    lua_pop(L, 1);
    if (!is_added)
      return false;
  }
  if (is_prepared && lua_rawgeti(L, index, parameters + 2) != LUA_TNIL)
    luaL_error(L, "a statement has more parameters than its text has ?");
  lua_settop(L, index);
  return true;
}

static void build(lua_State *L, struct cnk_bind_store *face)
{
  if (face->building)
    cnk_store_request_reset(face->building);
  else
    face->building = cnk_store_new_request(face->store);
  bool is_built = face->building != NULL;
  for (lua_Integer i = 1; is_built && lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
    if (!lua_istable(L, -1))
      luaL_error(L, "a request is a list of statements, got a %s in it", luaL_typename(L, -1));
    is_built = add_statement(L, face, lua_gettop(L));
    lua_settop(L, 3);
  }
  if (!is_built)
    luaL_error(L, "not enough memory for a request, or it is too large");
  lua_settop(L, 3);
}

/* ---- from a request to results ------------------------------------------------------------------------------------- */

static void push_value(lua_State *L, const struct cnk_value *value)
{
  switch (value->kind) {
  case CNK_VALUE_INTEGER: lua_pushinteger(L, value->as.integer); break;
  case CNK_VALUE_REAL: lua_pushnumber(L, value->as.real); break;
  case CNK_VALUE_BYTES: lua_pushlstring(L, value->as.bytes.data, value->as.bytes.size); break;
  default: lua_pushnil(L);
  }
}

static void push_rows(lua_State *L, const struct cnk_store_request *request, const struct cnk_statement *statement)
{
  size_t at = statement->output;
  lua_createtable(L, (int)statement->rows, 0);
  for (uint32_t row = 1; row <= statement->rows; row++) {
    lua_createtable(L, (int)statement->columns, 0);
    for (uint32_t column = 1; column <= statement->columns; column++) {
      struct cnk_value value = cnk_value_read(&request->output, &at);
      push_value(L, &value);
      lua_rawseti(L, -2, column);
    }
    lua_rawseti(L, -2, row);
  }
}

/* The arguments of `done` for the request at 1: results, or nil, message and code. */
static int push_outcome(lua_State *L)
{
  const struct cnk_store_request *request = lua_touserdata(L, 1);
  if (request->status) {
    lua_pushnil(L);
    lua_pushstring(L, request->message);
    lua_pushstring(L, cnk_store_code_name(request->status));
    return 3;
  }
  lua_createtable(L, (int)request->count, 0);
  for (size_t i = 0; i < request->count; i++) {
    const struct cnk_statement *statement = &request->statements[i];
    if (statement->want == WANT_ROWS)
      push_rows(L, request, statement);
    else if (statement->want == WANT_CHANGES)
      lua_pushinteger(L, statement->changes);
    else if (statement->want == WANT_ROWID && statement->changes)
      lua_pushinteger(L, statement->rowid);
    else
      lua_pushboolean(L, 0);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static bool wants_results(const struct cnk_store_request *request)
{
  for (size_t i = 0; i < request->count; i++)
    if (request->statements[i].want)
      return true;
  return false;
}

/* The callback at 1, the request at 2: protected by cnk_bind_call, and the request is given back whatever happens. */
static int complete(lua_State *L)
{
  struct cnk_store_request *request = lua_touserdata(L, 2);
  bool is_plain = request->status == 0 && !wants_results(request);
  lua_settop(L, 1);
  if (is_plain) {
    lua_pushboolean(L, 1);
  } else {
    lua_pushcfunction(L, push_outcome);
    lua_pushlightuserdata(L, request);
    if (lua_pcall(L, 1, LUA_MULTRET, 0) != LUA_OK) {
      /* Only memory can be short. The request is committed, so it must not be said to have failed, and nobody can be told
       * what came of it. */
      cnk_store_release(request);
      *cnk_bind_out_of_memory(L) = true;
      return lua_error(L);
    }
  }
  cnk_store_release(request);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

static void deliver_request(struct cnk_done *done, void *context)
{
  lua_State *L = context;
  struct cnk_store_request *request = CNK_OWNER(done, struct cnk_store_request, done);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_pushcfunction(L, complete);
  cnk_bind_push_ref(L, &request->callback);
  lua_pushlightuserdata(L, request);
  cnk_bind_call(L, 2);
}

/* store:run(request, done) -> true | nil, message; see the stub for the shapes. */
int cnk_bind_store_run(lua_State *L, struct cnk_bind_store *face)
{
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  lua_settop(L, 3);
  build(L, face);
  struct cnk_store_request *request = face->building;
  request->done.deliver = deliver_request;
  request->callback = cnk_bind_ref(L, 3);
  if (!cnk_store_run(face->store, request)) {
    cnk_bind_unref(L, &request->callback);
    lua_pushnil(L);
    lua_pushliteral(L, "the store's queue is full");
    return 2;
  }
  face->building = NULL;
  lua_pushboolean(L, 1);
  return 1;
}
