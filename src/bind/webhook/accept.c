/* SPDX-License-Identifier: MIT */
/*
 * From a webhook's body to the store, and back with the new events: core.accept_webhook.
 *
 * It goes in three steps, because Lua may run any finalizer, which may use the store as well: what Lua is asked, and the records
 * of the events, come first; then the calls of the store are filled and given to it, without Lua; and while it writes, the table
 * of the event is made.
 */
#include "bind/webhook/webhook.h"

#include "bind/store/verbs.h"
#include "webhook/event.h"
#include "whatsapp/status.h"

/* Per call, so that commits never wait long behind one: a webhook of 3 MB may have thousands of events. */
#define MOST_EVENTS 1000

enum { STORE = 1, BODY, ROOM, DESCRIBE, IS_SAME, DONE, IS_HEARD, MAIL, WEBHOOK, SHARED, BATCH, LISTS };
#define KEPT 1 /* the function's upvalue */

/* ---- the records, with what only Lua knows --------------------------------------------------------------------------- */

static bool is_same(void *context, struct cnk_text a, struct cnk_text b)
{
  lua_State *L = context;
  lua_pushvalue(L, IS_SAME);
  lua_pushlstring(L, a.data, a.size);
  lua_pushlstring(L, b.data, b.size);
  lua_call(L, 2, 1);
  bool is_equal = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is_equal;
}

/* Whether Lua must say more of an event that is alone: by what it is known, or why it failed. */
static bool has_more(const struct cnk_webhook_facts *facts)
{
  int64_t rank;
  if (facts->kind != CNK_WEBHOOK_STATUS)
    return cnk_webhook_is_known_by_content(facts->kind);
  return cnk_status_rank(facts->status, &rank) && rank == CNK_STATUS_FAILED;
}

/* Notes in the record on top whether a status, which is no failure, is heard by nobody. */
static void ask_for_hearers(lua_State *L, struct cnk_text status)
{
  if (lua_isnil(L, IS_HEARD))
    return;
  lua_pushvalue(L, IS_HEARD);
  lua_pushlstring(L, status.data, status.size);
  lua_call(L, 1, 1);
  bool is_heard = lua_toboolean(L, -1);
  lua_pop(L, 1);
  if (!is_heard) {
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "is_unheard");
  }
}

/* Sets in the record on top what Lua says of the event. */
static void describe(lua_State *L, const struct cnk_webhook_item *item, bool is_alone)
{
  static const char *const names[] = {"error", "body", "key"};
  const struct cnk_event_maker maker = {.L = L, .shared = is_alone ? 0 : SHARED, .body = is_alone ? BODY : 0};
  int record = lua_gettop(L);
  lua_pushvalue(L, DESCRIBE);
  cnk_event_push(&maker, item);
  lua_pushvalue(L, -1);
  lua_setfield(L, record, "event");
  lua_pushvalue(L, BATCH);
  lua_call(L, 2, 3);
  for (int i = 0; i < 3; i++) {
    bool is_good = lua_type(L, -1) == LUA_TSTRING;
    if (is_good)
      lua_setfield(L, record, names[i]);
    else
      lua_pop(L, 1);
  }
}

static void push_record(lua_State *L, struct cnk_webhook_item *item, bool is_alone)
{
  struct cnk_webhook_facts *facts = &item->facts;
  int64_t rank;
  cnk_webhook_settle_contact(facts, is_same, L);
  lua_createtable(L, 0, 16);
  lua_pushinteger(L, 0);
  lua_setfield(L, -2, "attempts");
  if (facts->has_timestamp) {
    lua_pushinteger(L, facts->timestamp);
    lua_setfield(L, -2, "timestamp");
  }
  if (facts->kind == CNK_WEBHOOK_STATUS) {
    lua_pushboolean(L, true);
    lua_setfield(L, -2, "is_status");
    if (cnk_status_rank(facts->status, &rank)) {
      lua_pushinteger(L, rank);
      lua_setfield(L, -2, "rank");
      if (rank != CNK_STATUS_FAILED)
        ask_for_hearers(L, facts->status);
    }
  }
  if (is_alone) {
    lua_pushvalue(L, BODY);
    lua_setfield(L, -2, "body");
  }
  if (!is_alone || has_more(facts))
    describe(L, item, is_alone);
}

/* Pushes a list of records for each call; how many. */
static int push_lists(lua_State *L, const struct cnk_webhook *found, bool is_alone)
{
  int lists = 0;
  for (size_t i = 0; i < found->count; i++) {
    if (i % MOST_EVENTS == 0) {
      size_t left = found->count - i;
      lua_createtable(L, (int)(left < MOST_EVENTS ? left : MOST_EVENTS), 0);
      lists++;
    }
    push_record(L, &found->items[i], is_alone);
    lua_rawseti(L, -2, (lua_Integer)(i % MOST_EVENTS) + 1);
  }
  return lists;
}

/* ---- the calls --------------------------------------------------------------------------------------------------------- */

/* Copies a string of the record on top. */
static bool copy_field(lua_State *L, const char *name, struct cnk_arena *arena, struct cnk_text *to)
{
  struct cnk_text text;
  bool is_good = true;
  if (lua_getfield(L, -1, name) == LUA_TSTRING) {
    text.data = lua_tolstring(L, -1, &text.size);
    is_good = cnk_arena_copy(arena, text, to);
  }
  lua_pop(L, 1);
  return is_good;
}

static bool fill_event(lua_State *L, const struct cnk_webhook_facts *facts, bool is_alone, struct cnk_arena *arena,
                       struct cnk_event *event)
{
  struct cnk_text body;
  if (!cnk_webhook_fill_event(facts, arena, event))
    return false;
  if (is_alone) {
    body.data = lua_tolstring(L, BODY, &body.size);
    if (!cnk_arena_copy(arena, body, &event->body))
      return false;
  } else if (!copy_field(L, "body", arena, &event->body)) {
    return false;
  }
  if (is_alone && !has_more(facts))
    return true;
  bool is_known = event->key.data || copy_field(L, "key", arena, &event->key);
  return is_known && copy_field(L, "error", arena, &event->error);
}

/* Fills a call with the events of the list. False when memory is out, or it would be too large. */
static bool fill_call(lua_State *L, struct cnk_bind_store *face, const struct cnk_webhook *found, size_t first,
                      int list)
{
  struct cnk_store_call *call = cnk_bind_try_call(face, CNK_ACCEPT);
  size_t count = lua_rawlen(L, list);
  bool is_good = true;
  if (!call)
    return false;
  struct cnk_accept *request = call->request;
  request->now = cnk_clock_wall(face->loop->clock);
  request->minds_mail = lua_isboolean(L, MAIL) && lua_toboolean(L, MAIL);
  if (found->count == count) /* otherwise it goes when all calls are answered */
    request->letter = lua_tointeger(L, MAIL);
  request->events.items = cnk_arena_take(&call->arena, count * sizeof *request->events.items);
  request->events.count = request->events.items ? count : 0;
  for (size_t i = 0; i < request->events.count && is_good; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    request->events.items[i].is_unheard = lua_getfield(L, -1, "is_unheard") != LUA_TNIL;
    lua_pop(L, 1);
    is_good = fill_event(L, &found->items[first + i].facts, found->count == 1, &call->arena, &request->events.items[i]);
    lua_pop(L, 1);
  }
  return is_good && request->events.count == count && call->arena.total <= CNK_STORE_CALL_BYTES_MAX;
}

/* ---- the answer -------------------------------------------------------------------------------------------------------- */

static void set_text(lua_State *L, int record, const char *name, struct cnk_text text)
{
  if (!text.data)
    return;
  lua_pushlstring(L, text.data, text.size);
  lua_setfield(L, record, name);
}

static void set_others(lua_State *L, int record, const struct cnk_event *event)
{
  if (event->others.count == 0)
    return;
  lua_createtable(L, (int)event->others.count, 0);
  for (size_t i = 0; i < event->others.count; i++) {
    const struct cnk_person_id *other = &event->others.items[i];
    lua_createtable(L, 0, 2);
    set_text(L, lua_gettop(L), "joined", other->joined);
    lua_pushboolean(L, other->was_used);
    lua_setfield(L, -2, "was_used");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setfield(L, record, "others");
}

/* What the store says of a new event, in its record. */
static void set_answer(lua_State *L, int record, const struct cnk_event *event)
{
  lua_pushinteger(L, event->id);
  lua_setfield(L, record, "id");
  lua_pushinteger(L, event->seq);
  lua_setfield(L, record, "seq");
  set_text(L, record, "contact", event->contact);
  set_text(L, record, "conversation", event->conversation);
  set_text(L, record, "user_id", event->user_id);
  set_text(L, record, "name", event->name);
  set_text(L, record, "username", event->username);
  if (event->inbound_at == event->inbound_at) { /* no NAN */
    lua_pushinteger(L, (lua_Integer)event->inbound_at);
    lua_setfield(L, record, "inbound_at");
  }
  if (event->status_of.data) {
    lua_pushboolean(L, event->is_applied);
    lua_setfield(L, record, "is_applied");
  }
  set_others(L, record, event);
}

/* done(records of the new events, joins); the list of all records is at 2. */
static int push_new(lua_State *L, const struct cnk_store_call *call, const struct cnk_bind_form *form)
{
  const struct cnk_accept *request = call->request;
  lua_Integer fresh = 0;
  (void)form;
  for (size_t i = 0; i < request->events.count; i++) {
    const struct cnk_event *event = &request->events.items[i];
    if (!event->is_fresh)
      continue;
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    set_answer(L, lua_gettop(L), event);
    lua_rawseti(L, 2, ++fresh);
  }
  for (lua_Integer i = (lua_Integer)request->events.count; i > fresh; i--) {
    lua_pushnil(L);
    lua_rawseti(L, 2, i);
  }
  lua_pushvalue(L, 2);
  lua_pushinteger(L, request->joins);
  return 2;
}

static const struct cnk_bind_form new_form = {push_new};

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

/* The item at 1, the record at 2, the body at 3. */
static int make_event(lua_State *L)
{
  const struct cnk_webhook_item *item = lua_touserdata(L, 1);
  const struct cnk_event_maker maker = {.L = L, .body = 3};
  cnk_event_push(&maker, item);
  lua_setfield(L, 2, "event");
  return 0;
}

/* Makes the table of an event that is alone. It can be made again of the body, so that it does not matter if memory is out. */
static void make_event_of(lua_State *L, struct cnk_webhook_item *item)
{
  lua_pushcfunction(L, make_event);
  lua_pushlightuserdata(L, item);
  lua_rawgeti(L, LISTS, 1);
  lua_pushvalue(L, BODY);
  if (lua_pcall(L, 3, 0, 0) != LUA_OK)
    lua_pop(L, 1);
}

/* Gives the calls to the store. Pushes how many it has taken; and, if it did not take all, a sentence and a code. How many
 * values. */
static int run_calls(lua_State *L, const struct cnk_webhook *found, int lists)
{
  int taken = 0, top = lua_gettop(L);
  struct cnk_bind_store *face = cnk_bind_find_store(L);
  bool is_good = face;
  while (is_good && taken < lists) {
    lua_settop(L, top);
    if (!fill_call(L, face, found, (size_t)taken * MOST_EVENTS, LISTS + taken)) {
      lua_pushnil(L);
      lua_pushliteral(L, "not enough memory for a call, or it is too large");
      lua_pushliteral(L, "no_memory");
      is_good = false;
    } else {
      is_good = cnk_bind_run_call(L, face, LISTS + taken, DONE, &new_form) == 1;
    }
    taken += is_good;
  }
  if (is_good)
    lua_settop(L, top);
  else
    lua_remove(L, top + 1); /* nil */
  lua_pushinteger(L, taken);
  lua_insert(L, top + 1);
  return is_good ? 1 : 3;
}

/* Gives back what is kept, and nil before the message and the code on top. */
static int refuse(lua_State *L)
{
  cnk_bind_keep_webhook(L, WEBHOOK, KEPT);
  lua_pushnil(L);
  lua_insert(L, -3);
  return 3;
}

/* core.accept_webhook(store, body, room, describe, is_same, done, is_heard, mail) -> events, calls; or nil, message, code. The
 * stub says more. */
int cnk_bind_accept_webhook(lua_State *L)
{
  luaL_checktype(L, BODY, LUA_TSTRING);
  lua_Integer room = luaL_checkinteger(L, ROOM);
  luaL_checktype(L, DONE, LUA_TFUNCTION);
  lua_settop(L, MAIL);
  struct cnk_bind_webhook *webhook = cnk_bind_take_webhook(L, KEPT);
  struct cnk_webhook *found = &webhook->found;
  if (!cnk_bind_read_webhook(L, BODY, true, webhook)) {
    lua_insert(L, -2); /* the message first */
    return refuse(L);
  }
  if ((lua_Integer)found->count > room) {
    lua_pushliteral(L, "too many events are waiting");
    lua_pushliteral(L, "no_room");
    return refuse(L);
  }
  bool is_alone = found->count == 1;
  if (is_alone) {
    lua_settop(L, LISTS - 1);
  } else {
    lua_newtable(L);
    lua_newtable(L);
  }
  int lists = push_lists(L, found, is_alone);
  lua_pushinteger(L, (lua_Integer)found->count);
  int results = 1 + run_calls(L, found, lists);
  if (is_alone && !has_more(&found->items[0].facts))
    make_event_of(L, &found->items[0]);
  if (lua_tointeger(L, 1 - results) == 0)
    return refuse(L);
  cnk_bind_keep_webhook(L, WEBHOOK, KEPT);
  return results;
}
