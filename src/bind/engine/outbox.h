/* SPDX-License-Identifier: MIT */
/*
 * What each message needs of the outbox, for the files of its face: marks and lanes (outbox.c), and its delivery (delivery.c). What is
 * rare is asked of functions of engine/outbox.lua and delivery.lua.
 */
#ifndef CNK_BIND_OUTBOX_H
#define CNK_BIND_OUTBOX_H

#include "bind/engine/row.h"
#include "bind/store/verbs.h"

/* User values: what core.outbox is given, by these names in this order, and what it makes. */
enum {
  CNK_OUTBOX_LANES = 1,
  CNK_OUTBOX_STORE,
  CNK_OUTBOX_LIMITER, /* nil: `permit` is asked */
  CNK_OUTBOX_CLIENT,  /* `texts`: the endpoint of the usual messages, if it is known */
  CNK_OUTBOX_COUNTS,
  CNK_OUTBOX_UNKNOWN,
  CNK_OUTBOX_LOG,
  CNK_OUTBOX_PERSONS,
  CNK_OUTBOX_REPLIES, /* of the backlog: whether messages wait that memory does not know */
  CNK_OUTBOX_BULK,
  CNK_OUTBOX_HANDLES, /* engine/handles.lua */
  CNK_OUTBOX_ACCEPTED_ID,
  CNK_OUTBOX_PERMIT, /* the functions */
  CNK_OUTBOX_IS_ELSEWHERE,
  CNK_OUTBOX_MUST_PARK,
  CNK_OUTBOX_ADD_PARKED,
  CNK_OUTBOX_QUEUE,
  CNK_OUTBOX_PUT_BACK,
  CNK_OUTBOX_RUN,
  CNK_OUTBOX_NOT_MARKED,
  CNK_OUTBOX_TRANSMIT,
  CNK_OUTBOX_READ,
  CNK_OUTBOX_FAIL,
  CNK_OUTBOX_ANSWER,
  CNK_OUTBOX_SETTLE,
  CNK_OUTBOX_STORE_AGAIN,
  CNK_OUTBOX_ADVANCE,
  CNK_OUTBOX_GIVEN = CNK_OUTBOX_ADVANCE,
  CNK_OUTBOX_BY_ID,
  CNK_OUTBOX_BY_MESSAGE_ID,
  CNK_OUTBOX_RECENT, /* rings of handles, and of their contacts */
  CNK_OUTBOX_RECENT_CONTACTS,
  CNK_OUTBOX_ON_MARK, /* functions of delivery.c */
  CNK_OUTBOX_ON_OUTCOME,
  CNK_OUTBOX_VALUES = CNK_OUTBOX_ON_OUTCOME
};

/* Handles of this many recent messages are kept, for messages with `after`. */
#define CNK_OUTBOX_RECENT_MOST 1024

struct cnk_lua_outbox {
  void *self;
  struct cnk_lua_lanes *lanes;
  struct cnk_bind_store *store;
  lua_Integer recent;     /* the place in the rings that was used last; 0: none */
  lua_Integer of_contact; /* so many messages of a contact memory holds */
  bool is_stopped;
};

#define CNK_OUTBOX_CLASS "cunnekt.core_outbox"

/* permit.c: the outbox at 1; raises. */
struct cnk_lua_outbox *cnk_bind_check_outbox(lua_State *L);

/* Calls a function of the outbox with the row, and the values above `args`, which it takes; leaves the results. */
void cnk_outbox_ask(lua_State *L, int outbox, int which, int row, int args, int results);

/* Whether a field of the table that is a user value is set. */
bool cnk_outbox_is_set(lua_State *L, int outbox, int which, const char *name);

/* Adds to a number of the table that is a user value. */
void cnk_bind_add_count(lua_State *L, int index, int which, const char *name, lua_Integer more);

/* Whether a message waits for the delivery of the one before it. */
bool cnk_outbox_is_after_delivery(lua_State *L, int row);

/* Takes the permit of a message: the seconds until there may be one, 0: it has it. Lets it pass the gate of the lanes: less than 0, or
 * the seconds for which it waits. */
double cnk_outbox_take_permit(lua_State *L, int outbox, int row, bool *is_for_all);
double cnk_outbox_pass(lua_State *L, int outbox, int row, bool *is_for_all);

/* outbox.c: pushes a row for the usual message, with a handle; where its texts are, the last one being the payload as JSON. */
struct cnk_new_text {
  int outbox, contact, to, text;
  int64_t id;
};
void cnk_outbox_push_text(lua_State *L, const struct cnk_new_text *its);

/* delivery.c: the owner of the lanes; sends a row that waits for nothing else; and its functions, for outbox.c. */
extern const struct cnk_native_owner cnk_outbox_owner;
void cnk_outbox_send(lua_State *L, int outbox, int row);
int cnk_outbox_on_mark(lua_State *L);
int cnk_outbox_on_outcome(lua_State *L);

#endif
