/* SPDX-License-Identifier: MIT */
/*
 * A request: statements with their parameters, which take hold together or not at all, and afterwards their results.
 *
 * The loop thread builds a request, gives it to a store, and reads it again once it is delivered; in between it
 * belongs to the store's writer thread. Parameters are copied into one block of the request, which is reused with it.
 * A request knows nothing of SQLite: statements are the numbers that cnk_store_prepare() gave.
 */
#ifndef CNK_STORE_REQUEST_H
#define CNK_STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/loop.h"

/* A single request may not grow beyond this; larger things belong into files. */
#define CNK_STORE_REQUEST_BYTES_MAX ((size_t)64 << 20)
#define CNK_STORE_REQUEST_STATEMENTS_MAX 4096

enum cnk_value_kind {
  CNK_VALUE_NULL,
  CNK_VALUE_INTEGER,
  CNK_VALUE_REAL,
  CNK_VALUE_BYTES,
  CNK_VALUE_REF, /* parameters only */
};

/* What a later statement may take from an earlier one of its request. */
enum cnk_ref_kind {
  CNK_REF_ROWID, /* NULL when it changed nothing */
  CNK_REF_CHANGES,
  CNK_REF_VALUE, /* first column of the first row; NULL without a row */
};

struct cnk_value {
  enum cnk_value_kind kind;
  union {
    int64_t integer;
    double real;
    struct {
      const char *data; /* borrowed from the request */
      size_t size;
    } bytes;
    struct {
      uint16_t statement;
      uint16_t kind;
    } ref;
  } as;
};

enum cnk_statement_flag {
  CNK_STATEMENT_IF_CHANGED = 1,  /* runs only if the statement before it ran and changed a row */
  CNK_STATEMENT_MUST_CHANGE = 2, /* the request fails when this changes no row: compare-and-set */
  CNK_STATEMENT_ROWS = 4,        /* keeps its rows */
};

struct cnk_statement {
  uint16_t sql;
  uint16_t parameters;
  uint8_t flags;
  uint8_t want; /* left to the owner of the request: what it means to read afterwards */
  bool has_run; /* the rest is set by the store */
  uint32_t rows_max;
  size_t input; /* where the parameters begin */
  int64_t changes, rowid;
  uint32_t rows, columns;
  size_t output; /* where the rows begin: values, row by row */
};

struct cnk_store;

struct cnk_store_request {
  struct cnk_done done;     /* the owner sets done.deliver */
  struct cnk_link link;     /* in one of the store's queues, or among its spare requests */
  struct cnk_link of_store; /* among all that are held outside the store */
  struct cnk_store *store;
  struct cnk_buffer input, output;
  struct cnk_statement *statements;
  size_t count, capacity;
  size_t charged; /* bytes counted against the store's limit */
  int status;     /* 0, or an extended SQLite code, or one of enum cnk_store_code */
  char message[192];
  int callback; /* left to the owner */
};

/* NULL without memory. A request that a store has taken is given back with cnk_store_release(). */
struct cnk_store_request *cnk_store_request_new(void);
void cnk_store_request_free(struct cnk_store_request *request);

/* Empties a request for another use; keeps its memory unless that is large. */
void cnk_store_request_reset(struct cnk_store_request *request);

/* Building, in order: a statement, then its parameters. False when memory or a limit of the request is exhausted. */
bool cnk_store_request_statement(struct cnk_store_request *request, unsigned sql, unsigned flags, uint32_t rows_max);
bool cnk_store_request_null(struct cnk_store_request *request);
bool cnk_store_request_integer(struct cnk_store_request *request, int64_t value);
bool cnk_store_request_real(struct cnk_store_request *request, double value);
bool cnk_store_request_bytes(struct cnk_store_request *request, const char *data, size_t size);
/* `statement` counts from 0 and must be an earlier one, else false. */
bool cnk_store_request_ref(struct cnk_store_request *request, size_t statement, enum cnk_ref_kind kind);

/* Reads the value at `at` of a request's input or output, and moves `at` behind it. */
struct cnk_value cnk_value_read(const struct cnk_buffer *buffer, size_t *at);
/* Appends a value; false without memory. */
bool cnk_value_write(struct cnk_buffer *buffer, const struct cnk_value *value);

#endif
