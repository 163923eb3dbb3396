/* SPDX-License-Identifier: MIT */
/*
 * Group commit: many calls in one transaction, and what happens when one of them, or all, fail.
 *
 * The usual batch pays for no savepoints. When a call fails, the whole transaction is rolled back and run again, this
 * time with a savepoint for each call, so that only the failing ones are undone.
 */
#include "store/verbs/batch.h"

#include <stdio.h>

#include "store/verbs/verbs.h"

/* For so many batches after a conflict, reads are awaited. */
enum { WARY_BATCHES = 64 };

static bool is_fault_of_all(struct cnk_sql_session *session, int status)
{
  return status == CNK_STORE_NO_MEMORY || status == CNK_STORE_MOVED || session->driver->is_fault(session, status);
}

/* A call that fails by its own rules, without a write, has nothing to undo. A statement that fails may end the transaction. */
static int run_call(struct cnk_sql_session *session, struct cnk_store_call *call)
{
  bool has_written;
  int status = cnk_work_do(session, call, &has_written);
  return has_written || status > 0 || is_fault_of_all(session, status) ? status : 0;
}

void cnk_batch_roll_back(struct cnk_sql_session *session)
{
  session->ids_left = 0;
  session->driver->roll_back(session);
}

/* The same, and what it has sent ahead. */
static int run_whole_call(struct cnk_sql_session *session, struct cnk_store_call *call)
{
  int status = run_call(session, call);
  if (status != 0 || (status = session->driver->settle(session)) == 0)
    return status;
  call->status = status;
  snprintf(call->message, sizeof call->message, "%s", session->driver->problem(session));
  return status;
}

static int run_each(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  const struct cnk_sql_driver *driver = session->driver;
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_call *call = cnk_store_call_of(link);
    int status = driver->save(session);
    if (status != 0)
      return status;
    status = run_whole_call(session, call);
    if (is_fault_of_all(session, status))
      return status;
    if (status != 0) {
      session->ids_left = 0;
      if ((status = driver->undo(session)) != 0)
        return status;
    }
    if ((status = driver->release(session)) != 0)
      return status;
  }
  return 0;
}

static int raise_ahead(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  bool any = false;
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_work work = {.session = session, .call = cnk_store_call_of(link)};
    if (work.call->verb == CNK_NOTE_STATUS)
      break; /* what comes behind it may be about the same message */
    if (work.call->verb == CNK_ACCEPT)
      any |= cnk_verb_raise_ahead(&work, work.call->request);
    if (work.status != 0)
      return work.status;
  }
  return any ? session->driver->settle(session) : 0;
}

/* On a network, what webhooks depend on is asked for all of the batch at once. Where there is mail, also of this batch, none of it may
 * stay. */
static int send_ahead(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  int status = 0;
  bool minds_mail = false, posts_mail = false;
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_work work = {.session = session, .call = cnk_store_call_of(link)};
    struct cnk_accept *request = work.call->request;
    posts_mail |= work.call->verb == CNK_POST_MAIL;
    if (work.call->verb != CNK_ACCEPT || status != 0)
      continue;
    if (request->minds_mail && posts_mail)
      return CNK_STORE_MAIL;
    if (request->minds_mail && !minds_mail) {
      minds_mail = true;
      cnk_verb_look_for_mail(&work);
    }
    cnk_verb_accept_ahead(&work, request);
    status = work.status;
  }
  if (status == 0)
    status = session->driver->settle(session);
  if (status == 0 && minds_mail && session->mail > 0)
    return CNK_STORE_MAIL;
  return status == 0 ? raise_ahead(session, batch) : status;
}

static void forget_ahead(struct cnk_store_calls *batch)
{
  CNK_LIST_EACH (link, &batch->list)
    if (cnk_store_call_of(link)->verb == CNK_ACCEPT)
      cnk_verb_forget_ahead(cnk_store_call_of(link)->request);
}

static int run_calls(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_call *call = cnk_store_call_of(link);
    if (run_call(session, call) != 0)
      return call->status;
  }
  return 0;
}

/* Whether all that the calls expected has come true. */
static int look_at_expected(struct cnk_sql_session *session)
{
  int status = session->expected ? session->driver->settle(session) : 0;
  for (const struct cnk_expectation *one = session->expected; one && status == 0; one = one->next)
    if (one->changes == 0)
      status = CNK_STORE_CONFLICT;
  if (status == CNK_STORE_CONFLICT)
    session->wary = WARY_BATCHES;
  else if (session->wary > 0)
    session->wary--;
  return status;
}

static int run_together(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  session->is_whole = session->driver->send_ahead != NULL;
  session->expected = NULL;
  int status = session->is_whole ? send_ahead(session, batch) : 0;
  if (status == 0)
    status = run_calls(session, batch);
  if (status == 0)
    status = look_at_expected(session);
  session->is_whole = false;
  return status;
}

int cnk_batch_commit(struct cnk_sql_session *session, struct cnk_store_calls *batch)
{
  int status = session->driver->begin(session);
  if (status == 0)
    status = run_together(session, batch);
  if (status == 0)
    status = session->driver->commit(session);
  if (status == 0 || is_fault_of_all(session, status))
    return status;
  cnk_batch_roll_back(session);
  forget_ahead(batch);
  session->redone++;
  status = session->driver->begin(session);
  if (status == 0)
    status = run_each(session, batch);
  return status == 0 ? session->driver->commit(session) : status;
}

void cnk_batch_fail(struct cnk_sql_session *session, struct cnk_store_calls *batch, int status, const char *reason)
{
  CNK_LIST_EACH (link, &batch->list) {
    struct cnk_store_call *call = cnk_store_call_of(link);
    call->status = 0;
    if (call->verb == CNK_QUERY && session) {
      run_call(session, call);
    } else {
      call->status = status;
      snprintf(call->message, sizeof call->message, "%s", reason);
    }
  }
}
