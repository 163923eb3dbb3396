/* SPDX-License-Identifier: MIT */
/* Ways to break what store.h promises; see breaking.h. Each bends calls on their way to the store, or their answers. */
#include "store/breaking/breaking.h"

#include <stdlib.h>
#include <string.h>

#include "store/backend.h"

struct breaking {
  struct cnk_store base;
  struct cnk_loop *loop;
  struct cnk_store *inner;
  const char *ways;
  void (*deliver)(struct cnk_done *done, void *context); /* the caller's of webhooks: there is one */
};

/* There is one store in such a program. */
static struct breaking *current;

static struct breaking *breaking_of(struct cnk_store *store)
{
  return CNK_OWNER(store, struct breaking, base);
}

static bool has_way(const char *ways, const char *name)
{
  size_t size = strlen(name);
  for (const char *at = ways; at && (at = strstr(at, name)); at += size)
    if ((at == ways || at[-1] == ',') && (at[size] == '\0' || at[size] == ','))
      return true;
  return false;
}

/* ---- calls that are bent on their way -------------------------------------------------------------------------------- */

/* Every copy of an event is a new one. */
static void drop_keys(struct cnk_accept *request)
{
  for (size_t i = 0; i < request->events.count; i++)
    request->events.items[i].key = (struct cnk_text){0};
}

/* Webhooks of this host come before those that another one has taken for it. */
static void overtake_mail(struct cnk_accept *request)
{
  request->minds_mail = false;
}

/* A message whose outcome is unknown is taken for accepted. */
static void forget_unknown(struct cnk_settle *request)
{
  for (size_t i = 0; i < request->outcomes.count; i++)
    if (request->outcomes.items[i].state == CNK_MESSAGE_UNKNOWN)
      request->outcomes.items[i].state = CNK_MESSAGE_ACCEPTED;
}

/* Only the first events that wait are recovered at a start. */
static void forget_the_rest(struct cnk_store *store, struct cnk_query *request)
{
  enum { FIRST = 1000 };
  const char *const *parameters;
  size_t count;
  if ((int)request->name != cnk_store_find(store, false, "pending", &parameters, &count))
    return;
  for (size_t i = 0; i < count; i++)
    if (strcmp(parameters[i], "limit") == 0)
      request->parameters.items[i] = (struct cnk_value){.kind = CNK_VALUE_INTEGER, .as.integer = FIRST};
}

static void unmark(struct cnk_turn *turn)
{
  for (size_t i = 0; i < turn->messages.count; i++)
    turn->messages.items[i].state = CNK_MESSAGE_QUEUED;
}

static void bend(struct breaking *breaking, struct cnk_store_call *call)
{
  void *request = call->request;
  struct cnk_turn *turn = request;
  if (call->verb == CNK_ACCEPT && has_way(breaking->ways, "no_dedupe"))
    drop_keys(request);
  else if (call->verb == CNK_ACCEPT && has_way(breaking->ways, "overtake_mail"))
    overtake_mail(request);
  else if (call->verb == CNK_SETTLE && has_way(breaking->ways, "forget_unknown"))
    forget_unknown(request);
  else if (call->verb == CNK_QUERY && has_way(breaking->ways, "forget_the_rest"))
    forget_the_rest(breaking->inner, request);
  if (call->verb != CNK_COMMIT_TURN)
    return;
  if (has_way(breaking->ways, "no_versions")) /* a turn does not say what it has read */
    turn->reads.count = 0;
  if (has_way(breaking->ways, "mark_late"))
    unmark(turn);
}

/* ---- answers that come at the wrong time, or are wrong --------------------------------------------------------------- */

static void release_only(struct cnk_done *done, void *context)
{
  (void)context;
  cnk_store_release(CNK_OWNER(done, struct cnk_store_call, done));
}

static void say_fresh(struct cnk_accept *request)
{
  for (size_t i = 0; i < request->events.count; i++) {
    request->events.items[i].is_fresh = true;
    request->events.items[i].seq = request->events.items[i].id;
  }
}

static bool copy_events(const struct cnk_accept *from, struct cnk_accept *to, struct cnk_arena *arena)
{
  *to = *from;
  to->events.items = cnk_arena_take(arena, (from->events.count + 1) * sizeof *to->events.items);
  bool is_copied = to->events.items != NULL;
  for (size_t i = 0; i < from->events.count && is_copied; i++) {
    const struct cnk_event *event = &from->events.items[i];
    struct cnk_event *copy = &to->events.items[i];
    *copy = *event;
    is_copied = cnk_arena_copy(arena, event->contact, &copy->contact) &&
                cnk_arena_copy(arena, event->body, &copy->body) && cnk_arena_copy(arena, event->key, &copy->key) &&
                cnk_arena_copy(arena, event->status_of, &copy->status_of) &&
                cnk_arena_copy(arena, event->error, &copy->error);
  }
  return is_copied;
}

/* The events are said to be stored as soon as they are in memory. */
static bool acknowledge_early(struct breaking *breaking, struct cnk_store_call *call)
{
  struct cnk_store_call *late = cnk_store_new_call(breaking->inner, CNK_ACCEPT);
  if (!late || !copy_events(call->request, late->request, &late->arena))
    return false;
  late->done.deliver = release_only;
  if (!cnk_store_run(breaking->inner, late))
    cnk_store_release(late);
  say_fresh(call->request);
  cnk_loop_finish(breaking->loop, &call->done);
  return true;
}

/* What the store says of a failed acceptance is not heard. */
static void deliver_deaf(struct cnk_done *done, void *context)
{
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  if (call->status)
    say_fresh(call->request);
  call->status = 0;
  current->deliver(done, context);
}

/* What a turn changes is committed first, and in a second transaction that its event is done. */
struct split {
  struct cnk_turn turn; /* what the verb reads */
  struct cnk_turn rest;
  struct cnk_store_call *first;                          /* of the second call */
  void (*deliver)(struct cnk_done *done, void *context); /* the caller's */
};

static void deliver_second(struct cnk_done *done, void *context)
{
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  struct split *split = call->request;
  struct cnk_store_call *first = split->first;
  void (*deliver)(struct cnk_done * done, void *context) = split->deliver;
  first->status = call->status;
  memcpy(first->message, call->message, sizeof first->message);
  cnk_store_release(call);
  deliver(&first->done, context);
}

static void deliver_first(struct cnk_done *done, void *context)
{
  struct cnk_store_call *call = CNK_OWNER(done, struct cnk_store_call, done);
  struct cnk_store_call *second = call->status ? NULL : cnk_store_new_call(current->inner, CNK_COMMIT_TURN);
  struct split *split = second ? cnk_arena_take(&second->arena, sizeof *split) : NULL;
  const struct split *before = call->request;
  if (!split) {
    before->deliver(done, context);
    return;
  }
  split->turn = before->rest;
  split->deliver = before->deliver;
  split->first = call;
  second->request = split;
  second->done.deliver = deliver_second;
  if (!cnk_store_run(current->inner, second))
    before->deliver(done, context);
}

static void split_turn(struct cnk_store_call *call)
{
  struct cnk_turn *turn = call->request;
  struct split *split = turn->event ? cnk_arena_take(&call->arena, sizeof *split) : NULL;
  if (!split)
    return;
  split->turn = *turn;
  split->rest = (struct cnk_turn){.event = turn->event, .resume = turn->resume, .now = turn->now};
  memcpy(&split->rest.joined, &turn->joined, sizeof turn->joined);
  split->turn.event = 0;
  split->turn.joined.count = 0;
  split->deliver = call->done.deliver;
  call->request = split;
  call->done.deliver = deliver_first;
}

/* ---- the store ------------------------------------------------------------------------------------------------------- */

static struct cnk_store_call *new_call(struct cnk_store *store)
{
  struct cnk_store *inner = breaking_of(store)->inner;
  struct cnk_store_call *call = inner->backend->new_call(inner);
  if (call)
    call->store = store;
  return call;
}

static void release(struct cnk_store_call *call)
{
  call->store = current->inner;
  cnk_store_release(call);
}

static bool run(struct cnk_store *store, struct cnk_store_call *call)
{
  struct breaking *breaking = breaking_of(store);
  if (call->verb == CNK_ACCEPT)
    breaking->deliver = call->done.deliver;
  bend(breaking, call);
  if (call->verb == CNK_MARK_SENDING && has_way(breaking->ways, "mark_late")) {
    cnk_loop_finish(breaking->loop, &call->done);
    return true;
  }
  if (call->verb == CNK_ACCEPT && has_way(breaking->ways, "acknowledge_early"))
    return acknowledge_early(breaking, call);
  if (call->verb == CNK_ACCEPT && has_way(breaking->ways, "deaf_to_failures"))
    call->done.deliver = deliver_deaf;
  if (call->verb == CNK_COMMIT_TURN && has_way(breaking->ways, "split_turn"))
    split_turn(call);
  return cnk_store_run(breaking->inner, call);
}

static bool backup(struct cnk_store *store, const char *path, struct cnk_store_task *task)
{
  return cnk_store_backup(breaking_of(store)->inner, path, task);
}

static void close_store(struct cnk_store *store, struct cnk_store_task *task)
{
  cnk_store_close(breaking_of(store)->inner, task); /* the wrapper stays: calls may still be delivered */
}

static bool is_writable(const struct cnk_store *store)
{
  return cnk_store_is_writable(CNK_OWNER(store, const struct breaking, base)->inner);
}

static void read_trouble(struct cnk_store *store, char *message, size_t size)
{
  cnk_store_read_trouble(breaking_of(store)->inner, message, size);
}

static struct cnk_store_stats read_stats(struct cnk_store *store)
{
  return cnk_store_read_stats(breaking_of(store)->inner);
}

static enum cnk_store_hold hold(const struct cnk_store *store)
{
  return cnk_store_hold(CNK_OWNER(store, const struct breaking, base)->inner);
}

static struct cnk_store_owner read_owner(struct cnk_store *store)
{
  return cnk_store_read_owner(breaking_of(store)->inner);
}

static void on_shut(struct cnk_store *store, void (*fn)(void *context), void *context)
{
  cnk_store_on_shut(breaking_of(store)->inner, fn, context);
}

struct cnk_store *cnk_breaking_wrap(struct cnk_loop *loop, struct cnk_store *store)
{
  static struct cnk_store_backend backend;
  const char *ways = getenv("CRASH_BREAK");
  if (!ways)
    return store;
  struct breaking *breaking = calloc(1, sizeof *breaking);
  if (!breaking) {
    cnk_store_close(store, NULL);
    return NULL;
  }
  backend = *store->backend; /* names are its own */
  backend.new_call = new_call;
  backend.release = release;
  backend.run = run;
  backend.backup = backup;
  backend.close = close_store;
  backend.is_writable = is_writable;
  backend.read_trouble = read_trouble;
  backend.read_stats = read_stats;
  backend.on_shut = on_shut;
  backend.hold = hold;
  backend.read_owner = read_owner;
  *breaking = (struct breaking){
      .base = {.backend = &backend, .version = store->version},
        .loop = loop, .inner = store, .ways = ways
  };
  current = breaking;
  return &breaking->base;
}
