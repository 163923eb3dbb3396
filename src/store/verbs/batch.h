/* SPDX-License-Identifier: MIT */
/* Many calls in one transaction, for every backend of SQL. */
#ifndef CNK_STORE_BATCH_H
#define CNK_STORE_BATCH_H

#include "store/calls.h"
#include "store/sql/session.h"

/* Runs the calls in one transaction and sets the status of each. A call that fails is undone alone. Anything else than 0:
 * nothing of the batch holds, for that reason, and no transaction is open; what the calls say of themselves is void. */
int cnk_batch_commit(struct cnk_sql_session *session, struct cnk_store_calls *batch);

/* After this, no transaction is open, whatever happened before. */
void cnk_batch_roll_back(struct cnk_sql_session *session);

/* Outside of a transaction: each call that only reads, by itself. All others fail with `status` for this reason. */
void cnk_batch_fail(struct cnk_sql_session *session, struct cnk_store_calls *batch, int status, const char *reason);

#endif
