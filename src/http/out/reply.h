/* SPDX-License-Identifier: MIT */
/*
 * Where the answer to a POST ends: HTTP/1.1 read strictly (RFC 9112). Bytes go in as they come, in pieces of any size; out
 * come the status, the head and the body. No I/O, and no libcurl.
 *
 * Answers before the answer (1xx) are skipped, trailers are dropped. What two readers could read differently is refused:
 * lines that end without CR, continued lines, control characters, names that are no tokens, lengths that are not a plain number
 * or contradict each other, codings other than "chunked". Of a length and "chunked" together the latter counts, as
 * RFC 9112, 6.3 has it, and then the connection is not to be used again.
 */
#ifndef CNK_HTTP_REPLY_H
#define CNK_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

enum cnk_reply_state {
  CNK_REPLY_MORE, /* the answer goes on */
  CNK_REPLY_DONE,
  CNK_REPLY_REFUSED, /* it is not HTTP, or cannot be read for sure */
  CNK_REPLY_TOO_LARGE,
  CNK_REPLY_OUT_OF_MEMORY,
};

enum cnk_reply_at {
  CNK_REPLY_AT_STATUS,
  CNK_REPLY_AT_FIELD,
  CNK_REPLY_AT_BODY,      /* `left` bytes of it */
  CNK_REPLY_AT_END,       /* a body up to the end of the connection */
  CNK_REPLY_AT_SIZE,      /* of a chunk */
  CNK_REPLY_AT_EXTENSION, /* of a chunk's size */
  CNK_REPLY_AT_SIZE_LF,   /* behind the CR */
  CNK_REPLY_AT_CHUNK,     /* `left` bytes of it */
  CNK_REPLY_AT_CHUNK_CR,
  CNK_REPLY_AT_CHUNK_LF,
  CNK_REPLY_AT_TRAILER,
  CNK_REPLY_AT_NOTHING, /* it is over */
};

struct cnk_reply {
  /* What was read; the buffers are kept from one answer to the next. */
  struct cnk_buffer head, body; /* head: status line, fields and the empty line, as they came */
  int status;
  bool keeps_connection; /* once it is done: another request may follow */

  /* The rest is the reader's. */
  size_t most_head, most_body;
  size_t head_seen; /* also of answers before it, of trailers and of extensions */
  size_t line;      /* where in `head` the line begins that is being read */
  uint64_t left, length;
  int digits;
  enum cnk_reply_at at;
  bool has_length, is_chunked;
};

/* Before each answer. */
void cnk_reply_begin(struct cnk_reply *reply, size_t most_head, size_t most_body);

/* Reads on. `*used` becomes the number of bytes that belong to the answer: all of them, unless it is over. */
enum cnk_reply_state cnk_reply_feed(struct cnk_reply *reply, const char *data, size_t size, size_t *used);

/* The connection has ended: whether that is the end of the answer too. */
bool cnk_reply_may_end(const struct cnk_reply *reply);

#endif
