/* SPDX-License-Identifier: MIT */
/*
 * Looking at databases; see peek.h for the contract.
 *
 * SQLite itself leaves traces even where it only reads: it plays an old journal back, makes a log and its index, and
 * removes them at the end. Two ways around that: a database without a log is opened as immutable; one with a log in
 * the exclusive mode, which keeps the index in memory, and it is closed without a checkpoint.
 */
#include "store/sqlite/peek.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite/lock.h"

/* https://www.sqlite.org/fileformat2.html#the_database_header, and the journal's header below it. */
enum { HEADER_BYTES = 100, USER_VERSION_AT = 60, APPLICATION_ID_AT = 68, JOURNAL_BYTES = 28, JOURNAL_PAGES_AT = 16 };
static const char database_magic[] = "SQLite format 3";
static const unsigned char journal_magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

static bool fail(char *message, size_t size, const char *path, const char *reason)
{
  snprintf(message, size, "cannot open the store %s: %s", path, reason);
  return false;
}

static int32_t read_number(const unsigned char *at)
{
  return (int32_t)((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
}

/* Bytes of the file `path` with `suffix`; 0 when there is none. */
static off_t size_beside(const char *path, const char *suffix)
{
  char *name = NULL;
  struct stat found;
  if (asprintf(&name, "%s%s", path, suffix) < 0)
    return 0;
  off_t size = stat(name, &found) == 0 ? found.st_size : 0;
  free(name);
  return size;
}

/* A file that SQLite was making when the power went: its first page may be garbage, which the journal undoes. */
static bool is_unfinished(const char *path)
{
  char *name = NULL;
  unsigned char header[JOURNAL_BYTES];
  if (asprintf(&name, "%s-journal", path) < 0)
    return false;
  int descriptor = open(name, O_RDONLY | O_CLOEXEC);
  free(name);
  if (descriptor < 0)
    return false;
  bool is_journal = read(descriptor, header, sizeof header) == sizeof header &&
                    memcmp(header, journal_magic, sizeof journal_magic) == 0;
  close(descriptor);
  return is_journal && read_number(header + JOURNAL_PAGES_AT) == 0;
}

/* ---- with SQLite ------------------------------------------------------------------------------------------------- */

/* The URI of a file, in which three characters mean something else. */
static char *uri_of(const char *path)
{
  char *uri = malloc(strlen(path) * 3 + sizeof "file:?immutable=1"), *to = uri;
  if (!uri)
    return NULL;
  to += sprintf(to, "file:");
  for (; *path; path++)
    to += sprintf(to, *path == '%' || *path == '?' || *path == '#' ? "%%%02X" : "%c", *path);
  sprintf(to, "?immutable=1");
  return uri;
}

static int open_immutable(const char *path, const char *vfs, sqlite3 **db)
{
  char *uri = uri_of(path);
  if (!uri)
    return SQLITE_NOMEM;
  int status = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, vfs);
  free(uri);
  return status;
}

int cnk_peek_open(const char *path, const char *vfs, sqlite3 **db)
{
  if (size_beside(path, "-wal") == 0)
    return open_immutable(path, vfs, db);
  int status = sqlite3_open_v2(path, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs);
  if (status == SQLITE_OK)
    status = sqlite3_db_config(*db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  if (status == SQLITE_OK)
    status = sqlite3_exec(*db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA query_only=1", NULL, NULL, NULL);
  return status;
}

static void add_table(struct cnk_peek *out, sqlite3_stmt *statement)
{
  const unsigned char *name = sqlite3_column_text(statement, 0);
  size_t size = name ? (size_t)sqlite3_column_bytes(statement, 0) : 0;
  if (size == 0 || size >= sizeof out->tables - out->tables_size)
    return;
  memcpy(out->tables + out->tables_size, name, size);
  out->tables_size += size;
  out->tables[out->tables_size++] = '\n';
}

static int read_number_of(sqlite3 *db, const char *text, int32_t *out)
{
  sqlite3_stmt *statement = NULL;
  int status = sqlite3_prepare_v2(db, text, -1, &statement, NULL);
  if (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
    *out = sqlite3_column_int(statement, 0);
  int ended = sqlite3_finalize(statement);
  return status == SQLITE_OK ? ended : status;
}

static int read_tables(sqlite3 *db, struct cnk_peek *out)
{
  sqlite3_stmt *statement = NULL;
  int status = sqlite3_prepare_v2(
      db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'", -1,
      &statement, NULL);
  while (status == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
    add_table(out, statement);
  int ended = sqlite3_finalize(statement);
  return status == SQLITE_OK ? ended : status;
}

int cnk_peek_read(sqlite3 *db, struct cnk_peek *out)
{
  *out = (struct cnk_peek){0};
  int status = read_number_of(db, "PRAGMA application_id", &out->application_id);
  if (status == SQLITE_OK)
    status = read_number_of(db, "PRAGMA user_version", &out->user_version);
  /* Whoever adds a table to a database of ours may. */
  bool needs_tables = out->application_id == 0 || out->user_version == 0;
  if (status == SQLITE_OK && needs_tables)
    status = read_tables(db, out);
  out->has_tables = status == SQLITE_OK && needs_tables;
  return status;
}

static int read_with_sqlite(const char *path, struct cnk_peek *out, char *message, size_t size)
{
  sqlite3 *db = NULL;
  int status = cnk_peek_open(path, NULL, &db);
  if (status == SQLITE_OK)
    status = cnk_peek_read(db, out);
  if (status == SQLITE_BUSY)
    fail(message, size, path, "another program has it open");
  else if (status != SQLITE_OK)
    fail(message, size, path, db ? sqlite3_errmsg(db) : sqlite3_errstr(status));
  sqlite3_close(db);
  return status;
}

/* A database that does not say whose it is: its tables do. */
static bool look_inside(const char *path, struct cnk_peek *out, char *message, size_t size)
{
  struct cnk_lock lock;
  char *resolved = cnk_lock_resolve(path);
  if (!resolved)
    return fail(message, size, path, "not enough memory");
  bool is_read = cnk_lock_open(&lock, resolved, true, message, size);
  if (is_read)
    is_read = read_with_sqlite(resolved, out, message, size) == SQLITE_OK;
  cnk_lock_close(&lock);
  free(resolved);
  return is_read;
}

/* ---- without it -------------------------------------------------------------------------------------------------- */

/* An empty database takes no log, so SQLite would delete one that is there. */
static bool begin_new(const char *path, struct cnk_peek *out, char *message, size_t size)
{
  out->is_new = true;
  if (size_beside(path, "-wal") == 0)
    return true;
  return fail(message, size, path,
              "its log is there (the same name with -wal) and the database is not; put the database back, or move "
              "the log away");
}

static bool read_header(int descriptor, unsigned char header[HEADER_BYTES])
{
  return pread(descriptor, header, HEADER_BYTES, 0) == HEADER_BYTES &&
         memcmp(header, database_magic, sizeof database_magic) == 0;
}

int32_t cnk_peek_application_id(int descriptor)
{
  unsigned char header[HEADER_BYTES];
  return read_header(descriptor, header) ? read_number(header + APPLICATION_ID_AT) : 0;
}

bool cnk_peek(const char *path, struct cnk_peek *out, char *message, size_t size)
{
  *out = (struct cnk_peek){0};
  struct stat found;
  bool is_there = stat(path, &found) == 0;
  if (!is_there && errno != ENOENT)
    return fail(message, size, path, strerror(errno));
  if (is_there && !S_ISREG(found.st_mode))
    return fail(message, size, path, "it is not a regular file");
  if (!is_there || found.st_size == 0)
    return begin_new(path, out, message, size);
  if (cnk_lock_is_held_here(&found)) {
    const char *slash = strrchr(path, '/');
    snprintf(message, size, "the store %s is open already in this process", slash ? slash + 1 : path);
    return false;
  }
  unsigned char header[HEADER_BYTES];
  int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fail(message, size, path, strerror(errno));
  bool is_database = read_header(descriptor, header);
  close(descriptor);
  if (!is_database && is_unfinished(path))
    return out->is_new = true;
  if (!is_database)
    return fail(message, size, path,
                "it is not an SQLite database; choose another file with --store or CUNNEKT_STORE, or move it away");
  out->application_id = read_number(header + APPLICATION_ID_AT);
  out->user_version = read_number(header + USER_VERSION_AT);
  return (out->application_id && out->user_version > 0) || look_inside(path, out, message, size);
}
