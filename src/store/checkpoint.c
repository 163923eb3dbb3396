/* SPDX-License-Identifier: MIT */
/* Checkpoints: moving pages from the log into the database, so that the log can begin anew. */
#include "store/internal.h"

/* Beyond this many times the usual length the log may only be waiting for a foreign reader: wait for it, a little. */
enum { LONG_LOG = 16, READER_WAIT_MS = 100 };

static void checkpoint(struct cnk_store *store, int mode)
{
  int in_log = 0, moved = 0;
  uint64_t began = uv_hrtime();
  int status = sqlite3_wal_checkpoint_v2(store->db, NULL, mode, &in_log, &moved);
  uint32_t took_us = (uint32_t)((uv_hrtime() - began) / 1000);
  if (took_us > store->max_checkpoint_us)
    store->max_checkpoint_us = took_us;
  store->checkpoints++;
  bool is_complete = status == SQLITE_OK && in_log == moved;
  /* A log that could not be moved, for somebody reads it or the disk fails, is tried again when it has grown. */
  store->checkpoint_pages = store->options.wal_pages + (is_complete ? 0 : store->wal_pages);
  if (is_complete)
    store->wal_pages = 0;
}

void cnk_checkpoint_after_batch(struct cnk_store *store)
{
  if (store->is_memory || store->wal_pages < store->checkpoint_pages)
    return;
  bool is_long = store->wal_pages > store->options.wal_pages * LONG_LOG;
  if (is_long)
    sqlite3_busy_timeout(store->db, READER_WAIT_MS);
  checkpoint(store, is_long ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE);
  if (is_long)
    sqlite3_busy_timeout(store->db, store->options.busy_ms);
}

bool cnk_checkpoint_is_wanted_idle(const struct cnk_store *store)
{
  return !store->is_memory && store->wal_pages > store->options.wal_pages / 4 &&
         store->checkpoint_pages <= store->options.wal_pages;
}

void cnk_checkpoint_idle(struct cnk_store *store)
{
  checkpoint(store, SQLITE_CHECKPOINT_PASSIVE);
}
