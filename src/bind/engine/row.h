/* SPDX-License-Identifier: MIT */
/*
 * Messages of the outbox, and the handles that scripts hold of them, as Lua sees them: values with fields, as tables have them. What
 * each message needs on its way is kept where C reads it without Lua; any other field is in a table that is made for it.
 */
#ifndef CNK_BIND_ROW_H
#define CNK_BIND_ROW_H

#include "bind/lanes/lanes.h"
#include "http/out/endpoint.h"

/* What the keys of lanes of bulk messages begin with: these have lanes of their own, so that a reply to the same contact passes them. */
#define CNK_BULK_LANE "bulk "

#define CNK_ROW_CLASS "cunnekt.row"
#define CNK_SENT_CLASS "cunnekt.sent"

enum cnk_row_flag {
  CNK_ROW_IS_PLAIN = 1 << 0, /* it has no options */
  CNK_ROW_IS_MARKED = 1 << 1,
  CNK_ROW_IS_PARKED = 1 << 2,
  CNK_ROW_HAS_PERMIT = 1 << 3,
  CNK_ROW_IS_WRITTEN = 1 << 4,
  CNK_ROW_IS_GIVEN_UP = 1 << 5,
  CNK_ROW_IS_DROPPED = 1 << 6,
  CNK_ROW_IS_LIGHT = 1 << 7,
  CNK_ROW_HAS_WAITED = 1 << 8,
  CNK_ROW_IS_BULK = 1 << 9,
  CNK_ROW_IS_TEXT = 1 << 10, /* its payload is a text message's */
};

/* User values of a row; the last one is a table of what else there is, or nil. */
enum {
  CNK_ROW_CONTACT = 1,
  CNK_ROW_TO,      /* the recipient, as the payload has it */
  CNK_ROW_TEXT,    /* the payload as JSON; nil: not known */
  CNK_ROW_PAYLOAD, /* nil: as the text says */
  CNK_ROW_UNKNOWN,
  CNK_ROW_HANDLE,
  CNK_ROW_OUTBOX, /* since it was started */
  CNK_ROW_MORE,
  CNK_ROW_VALUES = CNK_ROW_MORE
};

struct cnk_row {
  void *self; /* see cnk_bind_self */
  int64_t id, event, attempts;
  unsigned flags;
  struct cnk_start start; /* in its lane */
  struct cnk_post *post;  /* while it is under way, unless Lua has it */
  int anchor;             /* likewise */
};

enum cnk_sent_state {
  CNK_SENT_QUEUED,
  CNK_SENT_SENDING,
  CNK_SENT_ACCEPTED,
  CNK_SENT_SENT,
  CNK_SENT_DELIVERED,
  CNK_SENT_READ,
  CNK_SENT_PLAYED,
  CNK_SENT_UNKNOWN,
  CNK_SENT_REJECTED,
  CNK_SENT_FAILED,
  CNK_SENT_EXPIRED,
  CNK_SENT_DROPPED
};

/* User values of a handle; the payload is as for a row. */
enum { CNK_SENT_TEXT = 1, CNK_SENT_PAYLOAD, CNK_SENT_MESSAGE_ID, CNK_SENT_MORE, CNK_SENT_VALUES = CNK_SENT_MORE };

struct cnk_sent {
  void *self;
  int64_t id; /* 0: none yet */
  enum cnk_sent_state state;
};

/* The row at an index; NULL when there is something else. */
static inline struct cnk_row *cnk_bind_row(lua_State *L, int index)
{
  struct cnk_row *row = lua_touserdata(L, index);
  return row && lua_rawlen(L, index) == sizeof *row && row->self == row ? row : NULL;
}

/* The same; raises. */
struct cnk_row *cnk_bind_check_row(lua_State *L, int index);

/* Pushes a new row, of which nothing is set. */
struct cnk_row *cnk_bind_new_row(lua_State *L);

/* Pushes the key of its lane. */
void cnk_bind_push_lane(lua_State *L, int row);

/* Pushes a field that no other user value has, or nil. Gives its type. */
int cnk_bind_push_more(lua_State *L, int row, const char *name);

/* Pushes a new handle, queued, without a payload. */
struct cnk_sent *cnk_bind_new_sent(lua_State *L, int64_t id);

/* Whether a handle is one of these and goes from queued or sending to `state`, and nobody waits for that; it is there then. */
bool cnk_bind_advance_sent(lua_State *L, int sent, enum cnk_sent_state state);

/* Sets metatables' common part: __index and __newindex with the numbers of fields and `decode` as upvalues. */
struct cnk_field_name {
  const char *name;
  int number;
};
void cnk_bind_fields(lua_State *L, const char *class, const struct cnk_field_name *names, lua_CFunction get,
                     lua_CFunction set);

/* The number of the field whose name is at 2, in a function that cnk_bind_fields made; 0: any other. */
lua_Integer cnk_bind_field_number(lua_State *L);

/* The payload of the userdata at 1, of its text. `text`, `payload`: user values. */
void cnk_bind_push_payload(lua_State *L, int text, int payload);

/* The field of the table that is the user value `more` of what is at 1; its key is at 2. The second takes the value at 3. */
void cnk_bind_get_more(lua_State *L, int more);
void cnk_bind_set_more(lua_State *L, int more);

#endif
