/* SPDX-License-Identifier: MIT */
/*
 * Strict checks of a request head. Two HTTP parsers that read one head differently are how requests get smuggled
 * past a proxy, so everything that is not plainly RFC 9112 is refused; libmicrohttpd alone is more forgiving.
 *
 * Refused by us: Transfer-Encoding other than one `chunked`, or beside Content-Length, or in HTTP/1.0; Content-Length
 * twice or not all digits; Host missing, twice or malformed; names that are not tokens (so a space before the colon);
 * control characters, bare CR, bare LF, NUL and folded lines anywhere in the head; extra spaces in the request line;
 * versions other than 1.0 and 1.1; targets too long. Refused by libmicrohttpd: lines without a colon, Content-Length
 * that is no number, heads beyond the connection's memory, malformed chunk sizes.
 *
 * The library shows names and values but no line ends. Up to 0.9.75 it parses in place, however, so that the line
 * ends show in the distances between its strings: exactly CR LF lies between them. One thing is not to be told apart:
 * a NUL followed by a bare LF looks like CR LF. Later versions are strict by themselves, and are not measured.
 * Not to be seen either: blank lines before a request (allowed by the RFC), chunk framing (see listener.h) and
 * trailer fields, which are dropped.
 */
#ifndef CNK_HEAD_H
#define CNK_HEAD_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#define CNK_HEAD_MAX_TARGET                                                                                            \
  4096 /* bytes; webhook paths are short, and so are the queries of the subscription handshake */

struct cnk_head {
  size_t content_length; /* 0 when absent */
  bool is_chunked;
};

struct cnk_head_line {
  const char *method, *version; /* the library's */
  const char *raw_target;       /* where the library has the request target, which it has cut up since */
  const char *target;           /* a copy from before; NULL when it was longer than the maximum */
  size_t target_size;
};

/* Looks at a head that the library has just finished. Returns 0 and fills `head`, or the status to refuse with. */
unsigned cnk_head_check(struct MHD_Connection *connection, const struct cnk_head_line *line, size_t max_body,
                        struct cnk_head *head);

/* Is this a libmicrohttpd whose line ends can be measured? Its own strictness is not wanted then: it adds nothing to
 * ours, and refuses by sending two heads in a row, as it still does for a Content-Length that is no number. */
bool cnk_head_is_measured(void);

#endif
