/* SPDX-License-Identifier: MIT */
/* Where the answer to a POST ends; see reply.h. */
#include "http/out/reply.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "http/framing.h"

/* Hexadecimal digits of a chunk's size; more would be zeros in front. */
#define MOST_DIGITS 16

void cnk_reply_begin(struct cnk_reply *reply, size_t most_head, size_t most_body)
{
  reply->head.size = reply->body.size = 0;
  reply->status = 0;
  reply->keeps_connection = false;
  reply->most_head = most_head;
  reply->most_body = most_body;
  reply->head_seen = reply->line = 0;
  reply->left = reply->length = 0;
  reply->digits = 0;
  reply->at = CNK_REPLY_AT_STATUS;
  reply->has_length = reply->is_chunked = false;
}

bool cnk_reply_may_end(const struct cnk_reply *reply)
{
  return reply->at == CNK_REPLY_AT_END;
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static struct cnk_text trimmed(const char *from, const char *to)
{
  while (from < to && (*from == ' ' || *from == '\t'))
    from++;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
    to--;
  return (struct cnk_text){from, (size_t)(to - from)};
}

static bool is_word(struct cnk_text text, const char *word)
{
  return cnk_framing_is_name(text.data, text.size, word);
}

/* Two that are equal are one (RFC 9110, 8.6). A number beyond what fits is beyond every limit: it stays the largest. */
static bool take_length(struct cnk_reply *reply, struct cnk_text value)
{
  uint64_t length = 0;
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < '0' || value.data[i] > '9')
      return false;
    uint64_t digit = (uint64_t)(value.data[i] - '0');
    length = length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : length * 10 + digit;
  }
  if (value.size == 0 || (reply->has_length && reply->length != length))
    return false;
  reply->has_length = true;
  reply->length = length;
  return true;
}

static bool take_coding(struct cnk_reply *reply, struct cnk_text value)
{
  bool is_known = is_word(value, "chunked") && !reply->is_chunked;
  reply->is_chunked = true;
  return is_known;
}

static void take_connection(struct cnk_reply *reply, struct cnk_text value)
{
  const char *at = value.data, *end = value.data + value.size;
  while (at < end) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    if (is_word(trimmed(at, comma ? comma : end), "close"))
      reply->keeps_connection = false;
    at = comma ? comma + 1 : end;
  }
}

/* A line without its CR LF. False when it is no field, or one that cannot be. */
static bool take_field(struct cnk_reply *reply, const char *line, size_t size)
{
  const char *colon = memchr(line, ':', size);
  if (!colon)
    return false;
  size_t name = (size_t)(colon - line);
  if (!cnk_framing_is_token(line, name) || !cnk_framing_is_value(colon, size - name))
    return false;
  struct cnk_text value = trimmed(colon + 1, line + size);
  if (reply->at == CNK_REPLY_AT_TRAILER)
    return true;
  if (name == 14 && strncasecmp(line, "Content-Length", name) == 0)
    return take_length(reply, value);
  if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0)
    return take_coding(reply, value);
  if (name == 10 && strncasecmp(line, "Connection", name) == 0)
    take_connection(reply, value);
  return true;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 reason"; the reason, and the space before it, may be missing. */
static bool take_status(struct cnk_reply *reply, const char *line, size_t size)
{
  bool is_status = size >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && (line[7] == '0' || line[7] == '1') &&
                   line[8] == ' ' && is_digit(line[9]) && is_digit(line[10]) && is_digit(line[11]) &&
                   (size == 12 || line[12] == ' ');
  if (!is_status || !cnk_framing_is_value(line, size))
    return false;
  reply->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  /* HTTP/1.0 knows connections that are kept only as an extension: not worth it. */
  reply->keeps_connection = line[7] == '1';
  return reply->status >= 100;
}

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static enum cnk_reply_state over(struct cnk_reply *reply)
{
  reply->at = CNK_REPLY_AT_NOTHING;
  return CNK_REPLY_DONE;
}

static enum cnk_reply_state expect(struct cnk_reply *reply, enum cnk_reply_at at, uint64_t size)
{
  if (size > reply->most_body - reply->body.size)
    return CNK_REPLY_TOO_LARGE;
  reply->left = size;
  reply->at = at;
  return CNK_REPLY_MORE;
}

static enum cnk_reply_state end_head(struct cnk_reply *reply)
{
  if (reply->status < 200) { /* what comes before the answer; 101 would not be HTTP any more, and nobody asked for it */
    size_t seen = reply->head_seen;
    if (reply->status == 101)
      return CNK_REPLY_REFUSED;
    cnk_reply_begin(reply, reply->most_head, reply->most_body);
    reply->head_seen = seen;
    return CNK_REPLY_MORE;
  }
  if (reply->status == 204 || reply->status == 304)
    return over(reply);
  if (reply->is_chunked) {
    reply->keeps_connection = reply->keeps_connection && !reply->has_length;
    reply->at = CNK_REPLY_AT_SIZE;
    return CNK_REPLY_MORE;
  }
  if (!reply->has_length) {
    reply->keeps_connection = false;
    reply->at = CNK_REPLY_AT_END;
    return CNK_REPLY_MORE;
  }
  return reply->length == 0 ? over(reply) : expect(reply, CNK_REPLY_AT_BODY, reply->length);
}

static enum cnk_reply_state end_line(struct cnk_reply *reply)
{
  const char *line = reply->head.data + reply->line;
  size_t size = reply->head.size - reply->line;
  if (size < 2 || line[size - 2] != '\r')
    return CNK_REPLY_REFUSED;
  size -= 2;
  bool is_trailer = reply->at == CNK_REPLY_AT_TRAILER;
  if (size == 0 && reply->at != CNK_REPLY_AT_STATUS) {
    if (is_trailer)
      reply->head.size = reply->line;
    return is_trailer ? over(reply) : end_head(reply);
  }
  bool is_good = reply->at == CNK_REPLY_AT_STATUS ? take_status(reply, line, size) : take_field(reply, line, size);
  if (!is_good)
    return CNK_REPLY_REFUSED;
  if (is_trailer) {
    reply->head.size = reply->line;
    return CNK_REPLY_MORE;
  }
  reply->line = reply->head.size;
  reply->at = CNK_REPLY_AT_FIELD;
  return CNK_REPLY_MORE;
}

/* Whoever does not speak HTTP may never end a line. */
static bool may_be_http(const struct cnk_reply *reply)
{
  static const char start[] = "HTTP/1.";
  size_t size = reply->head.size < sizeof start - 1 ? reply->head.size : sizeof start - 1;
  return reply->at != CNK_REPLY_AT_STATUS || memcmp(reply->head.data, start, size) == 0;
}

static enum cnk_reply_state feed_line(struct cnk_reply *reply, const char *data, size_t size, size_t *used)
{
  const char *end = memchr(data, '\n', size);
  *used = end ? (size_t)(end - data) + 1 : size;
  reply->head_seen += *used;
  if (reply->head_seen > reply->most_head)
    return CNK_REPLY_TOO_LARGE;
  if (!cnk_buffer_add(&reply->head, data, *used))
    return CNK_REPLY_OUT_OF_MEMORY;
  if (!may_be_http(reply))
    return CNK_REPLY_REFUSED;
  return end ? end_line(reply) : CNK_REPLY_MORE;
}

/* ---- the body ---------------------------------------------------------------------------------------------------- */

static enum cnk_reply_state feed_body(struct cnk_reply *reply, const char *data, size_t size, size_t *used)
{
  *used = size < reply->left ? size : (size_t)reply->left;
  if (!cnk_buffer_add(&reply->body, data, *used))
    return CNK_REPLY_OUT_OF_MEMORY;
  reply->left -= *used;
  if (reply->left > 0)
    return CNK_REPLY_MORE;
  if (reply->at == CNK_REPLY_AT_BODY)
    return over(reply);
  reply->at = CNK_REPLY_AT_CHUNK_CR;
  return CNK_REPLY_MORE;
}

static enum cnk_reply_state feed_rest(struct cnk_reply *reply, const char *data, size_t size, size_t *used)
{
  *used = size;
  if (size > reply->most_body - reply->body.size)
    return CNK_REPLY_TOO_LARGE;
  return cnk_buffer_add(&reply->body, data, size) ? CNK_REPLY_MORE : CNK_REPLY_OUT_OF_MEMORY;
}

static int hexadecimal(char c)
{
  if (is_digit(c))
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The line is over: what follows it? */
static enum cnk_reply_state begin_chunk(struct cnk_reply *reply)
{
  uint64_t size = reply->length;
  reply->digits = 0;
  if (size > 0)
    return expect(reply, CNK_REPLY_AT_CHUNK, size);
  reply->at = CNK_REPLY_AT_TRAILER;
  reply->line = reply->head.size;
  return CNK_REPLY_MORE;
}

static bool take_digit(struct cnk_reply *reply, char c)
{
  int value = hexadecimal(c);
  if (value < 0 || reply->digits == MOST_DIGITS)
    return false;
  reply->length = (reply->digits++ == 0 ? 0 : reply->length << 4) + (uint64_t)value;
  return true;
}

/* One byte of "1a;extension=1" CR LF, or of the CR LF behind a chunk. */
static enum cnk_reply_state feed_frame(struct cnk_reply *reply, char c)
{
  switch (reply->at) {
  case CNK_REPLY_AT_SIZE:
    if (take_digit(reply, c))
      return CNK_REPLY_MORE;
    if (reply->digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
      return CNK_REPLY_REFUSED;
    reply->at = c == '\r' ? CNK_REPLY_AT_SIZE_LF : CNK_REPLY_AT_EXTENSION;
    return CNK_REPLY_MORE;
  case CNK_REPLY_AT_EXTENSION:
    if (++reply->head_seen > reply->most_head)
      return CNK_REPLY_TOO_LARGE;
    if (c == '\r')
      reply->at = CNK_REPLY_AT_SIZE_LF;
    return c == '\r' || cnk_framing_is_value(&c, 1) ? CNK_REPLY_MORE : CNK_REPLY_REFUSED;
  case CNK_REPLY_AT_SIZE_LF: return c == '\n' ? begin_chunk(reply) : CNK_REPLY_REFUSED;
  case CNK_REPLY_AT_CHUNK_CR: reply->at = CNK_REPLY_AT_CHUNK_LF; return c == '\r' ? CNK_REPLY_MORE : CNK_REPLY_REFUSED;
  default: reply->at = CNK_REPLY_AT_SIZE; return c == '\n' ? CNK_REPLY_MORE : CNK_REPLY_REFUSED;
  }
}

enum cnk_reply_state cnk_reply_feed(struct cnk_reply *reply, const char *data, size_t size, size_t *used)
{
  enum cnk_reply_state state = CNK_REPLY_MORE;
  size_t at = 0;
  while (at < size && state == CNK_REPLY_MORE) {
    size_t part = 1;
    switch (reply->at) {
    case CNK_REPLY_AT_STATUS:
    case CNK_REPLY_AT_FIELD:
    case CNK_REPLY_AT_TRAILER: state = feed_line(reply, data + at, size - at, &part); break;
    case CNK_REPLY_AT_BODY:
    case CNK_REPLY_AT_CHUNK: state = feed_body(reply, data + at, size - at, &part); break;
    case CNK_REPLY_AT_END: state = feed_rest(reply, data + at, size - at, &part); break;
    case CNK_REPLY_AT_NOTHING: *used = at; return CNK_REPLY_DONE;
    default: state = feed_frame(reply, data[at]); break;
    }
    at += part;
  }
  *used = at;
  return state;
}
