/* SPDX-License-Identifier: MIT */
/* The keys by which events are put in order, and known when they come again; see webhook.h. */
#include <inttypes.h>
#include <stdio.h>

#include "webhook/webhook.h"

struct cnk_text cnk_webhook_customer(const struct cnk_webhook_facts *facts)
{
  const struct cnk_text who[] = {facts->from, facts->user_id, facts->recipient};
  for (size_t i = 0; i < sizeof who / sizeof *who; i++)
    if (who[i].data)
      return who[i];
  return (struct cnk_text){"", 0};
}

bool cnk_webhook_is_inbound(const struct cnk_webhook_facts *facts)
{
  if (!facts->has_timestamp || facts->group_id.data)
    return false;
  if (facts->kind == CNK_WEBHOOK_CALL) /* whose receiver is no `from` */
    return facts->from.data || facts->user_id.data;
  return facts->kind == CNK_WEBHOOK_MESSAGE && !facts->is_remark;
}

bool cnk_webhook_is_known_by_content(enum cnk_webhook_kind kind)
{
  switch (kind) {
  case CNK_WEBHOOK_USER_ID_UPDATE:
  case CNK_WEBHOOK_GROUP:
  case CNK_WEBHOOK_AUTOMATIC_EVENT: /* its id is of the message in which it was found, as others may be */
  case CNK_WEBHOOK_HISTORY:
  case CNK_WEBHOOK_STATE_SYNC:
  case CNK_WEBHOOK_ACCOUNT:
  case CNK_WEBHOOK_ERROR: return true;
  default: return false;
  }
}

static struct cnk_text word(const char *text)
{
  return (struct cnk_text){text, strlen(text)};
}

/* The parts of a key, between which there are colons; none: there is no key. */
struct parts {
  struct cnk_text texts[6];
  size_t count;
  char digits[24]; /* of the time */
};

static void add(struct parts *parts, struct cnk_text text)
{
  parts->texts[parts->count++] = text;
}

static void add_time(struct parts *parts, const struct cnk_webhook_facts *facts)
{
  int size = facts->has_timestamp ? snprintf(parts->digits, sizeof parts->digits, "%" PRId64, facts->timestamp) : 0;
  add(parts, (struct cnk_text){parts->digits, (size_t)size});
}

/* Of a message or an echo. */
static void set_parts_of_message(struct parts *parts, const struct cnk_webhook_facts *facts, const char *mark)
{
  add(parts, word(mark));
  add(parts, facts->phone_number_id);
  add(parts, facts->id);
}

static void set_parts_of_status(struct parts *parts, const struct cnk_webhook_facts *facts)
{
  add(parts, word("s"));
  add(parts, facts->id);
  add(parts, facts->status);
  add(parts, facts->recipient);
}

/* The steps of a payment, a call and the like: the time tells one that says the same as another from its repetition. */
static void set_parts_of_step(struct parts *parts, const struct cnk_webhook_facts *facts)
{
  add(parts, word(cnk_webhook_kinds[facts->kind]));
  add(parts, facts->id);
  add(parts, facts->event);
  add(parts, facts->status);
  add_time(parts, facts);
}

static void set_parts_of_preference(struct parts *parts, const struct cnk_webhook_facts *facts)
{
  add(parts, word(cnk_webhook_kinds[facts->kind]));
  add(parts, facts->phone_number_id);
  add(parts, facts->from.data ? facts->from : facts->user_id);
  add(parts, facts->category);
  add(parts, facts->value);
  add_time(parts, facts);
}

static void set_parts(struct parts *parts, const struct cnk_webhook_facts *facts)
{
  bool has_id = facts->id.data;
  parts->count = 0;
  switch (facts->kind) {
  case CNK_WEBHOOK_MESSAGE:
  case CNK_WEBHOOK_ECHO:
    if (has_id)
      set_parts_of_message(parts, facts, facts->kind == CNK_WEBHOOK_ECHO ? "e" : "m");
    break;
  case CNK_WEBHOOK_STATUS:
    if (has_id)
      set_parts_of_status(parts, facts);
    break;
  case CNK_WEBHOOK_PAYMENT:
  case CNK_WEBHOOK_CALL:
    if (has_id)
      set_parts_of_step(parts, facts);
    break;
  case CNK_WEBHOOK_USER_PREFERENCES:
    if ((facts->from.data || facts->user_id.data) && facts->has_timestamp)
      set_parts_of_preference(parts, facts);
    break;
  default: break;
  }
}

size_t cnk_webhook_key_size(const struct cnk_webhook_facts *facts)
{
  struct parts parts;
  set_parts(&parts, facts);
  size_t size = parts.count > 0 ? parts.count - 1 : 0;
  for (size_t i = 0; i < parts.count; i++)
    size += parts.texts[i].size;
  return size;
}

void cnk_webhook_write_key(const struct cnk_webhook_facts *facts, char *out)
{
  struct parts parts;
  set_parts(&parts, facts);
  for (size_t i = 0; i < parts.count; i++) {
    if (i > 0)
      *out++ = ':';
    if (parts.texts[i].size > 0)
      memcpy(out, parts.texts[i].data, parts.texts[i].size);
    out += parts.texts[i].size;
  }
}
