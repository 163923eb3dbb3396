/* SPDX-License-Identifier: MIT */
/* Where the answer to a POST ends; see answer.h. */
#include "http/out/answer.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "http/framing.h"

/* Hexadecimal digits of a chunk's size; more would be zeros in front. */
#define MOST_DIGITS 16

void cnk_answer_begin(struct cnk_answer *answer, size_t most_head, size_t most_body)
{
  answer->head.size = answer->body.size = 0;
  answer->status = 0;
  answer->keeps_connection = false;
  answer->most_head = most_head;
  answer->most_body = most_body;
  answer->head_seen = answer->line = 0;
  answer->left = answer->length = 0;
  answer->digits = 0;
  answer->at = CNK_ANSWER_AT_STATUS;
  answer->has_length = answer->is_chunked = false;
}

bool cnk_answer_may_end(const struct cnk_answer *answer)
{
  return answer->at == CNK_ANSWER_AT_END;
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
static bool take_length(struct cnk_answer *answer, struct cnk_text value)
{
  uint64_t length = 0;
  for (size_t i = 0; i < value.size; i++) {
    if (value.data[i] < '0' || value.data[i] > '9')
      return false;
    uint64_t digit = (uint64_t)(value.data[i] - '0');
    length = length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : length * 10 + digit;
  }
  if (value.size == 0 || (answer->has_length && answer->length != length))
    return false;
  answer->has_length = true;
  answer->length = length;
  return true;
}

static bool take_coding(struct cnk_answer *answer, struct cnk_text value)
{
  bool is_known = is_word(value, "chunked") && !answer->is_chunked;
  answer->is_chunked = true;
  return is_known;
}

static void take_connection(struct cnk_answer *answer, struct cnk_text value)
{
  const char *at = value.data, *end = value.data + value.size;
  while (at < end) {
    const char *comma = memchr(at, ',', (size_t)(end - at));
    if (is_word(trimmed(at, comma ? comma : end), "close"))
      answer->keeps_connection = false;
    at = comma ? comma + 1 : end;
  }
}

/* A line without its CR LF. False when it is no field, or one that cannot be. */
static bool take_field(struct cnk_answer *answer, const char *line, size_t size)
{
  const char *colon = memchr(line, ':', size);
  size_t name = colon ? (size_t)(colon - line) : 0;
  if (!cnk_framing_is_token(line, name) || !cnk_framing_is_value(colon, size - name))
    return false;
  struct cnk_text value = trimmed(colon + 1, line + size);
  if (answer->at == CNK_ANSWER_AT_TRAILER)
    return true;
  if (name == 14 && strncasecmp(line, "Content-Length", name) == 0)
    return take_length(answer, value);
  if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0)
    return take_coding(answer, value);
  if (name == 10 && strncasecmp(line, "Connection", name) == 0)
    take_connection(answer, value);
  return true;
}

static bool is_digit(char c)
{
  return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 reason"; the reason, and the space before it, may be missing. */
static bool take_status(struct cnk_answer *answer, const char *line, size_t size)
{
  bool is_status = size >= 12 && memcmp(line, "HTTP/1.", 7) == 0 && (line[7] == '0' || line[7] == '1') && line[8] == ' ' &&
                   is_digit(line[9]) && is_digit(line[10]) && is_digit(line[11]) && (size == 12 || line[12] == ' ');
  if (!is_status || !cnk_framing_is_value(line, size))
    return false;
  answer->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  /* HTTP/1.0 knows connections that are kept only as an extension: not worth it. */
  answer->keeps_connection = line[7] == '1';
  return answer->status >= 100;
}

/* ---- the head ---------------------------------------------------------------------------------------------------- */

static enum cnk_answer_state over(struct cnk_answer *answer)
{
  answer->at = CNK_ANSWER_AT_NOTHING;
  return CNK_ANSWER_DONE;
}

static enum cnk_answer_state expect(struct cnk_answer *answer, enum cnk_answer_at at, uint64_t size)
{
  if (size > answer->most_body - answer->body.size)
    return CNK_ANSWER_TOO_LARGE;
  answer->left = size;
  answer->at = at;
  return CNK_ANSWER_MORE;
}

static enum cnk_answer_state end_head(struct cnk_answer *answer)
{
  if (answer->status < 200) { /* what comes before the answer; 101 would not be HTTP any more, and nobody asked for it */
    size_t seen = answer->head_seen;
    if (answer->status == 101)
      return CNK_ANSWER_REFUSED;
    cnk_answer_begin(answer, answer->most_head, answer->most_body);
    answer->head_seen = seen;
    return CNK_ANSWER_MORE;
  }
  if (answer->status == 204 || answer->status == 304)
    return over(answer);
  if (answer->is_chunked) {
    answer->keeps_connection = answer->keeps_connection && !answer->has_length;
    answer->at = CNK_ANSWER_AT_SIZE;
    return CNK_ANSWER_MORE;
  }
  if (!answer->has_length) {
    answer->keeps_connection = false;
    answer->at = CNK_ANSWER_AT_END;
    return CNK_ANSWER_MORE;
  }
  return answer->length == 0 ? over(answer) : expect(answer, CNK_ANSWER_AT_BODY, answer->length);
}

static enum cnk_answer_state end_line(struct cnk_answer *answer)
{
  const char *line = answer->head.data + answer->line;
  size_t size = answer->head.size - answer->line;
  if (size < 2 || line[size - 2] != '\r')
    return CNK_ANSWER_REFUSED;
  size -= 2;
  bool is_trailer = answer->at == CNK_ANSWER_AT_TRAILER;
  if (size == 0 && answer->at != CNK_ANSWER_AT_STATUS) {
    if (is_trailer)
      answer->head.size = answer->line;
    return is_trailer ? over(answer) : end_head(answer);
  }
  bool is_good = answer->at == CNK_ANSWER_AT_STATUS ? take_status(answer, line, size) : take_field(answer, line, size);
  if (!is_good)
    return CNK_ANSWER_REFUSED;
  if (is_trailer) {
    answer->head.size = answer->line;
    return CNK_ANSWER_MORE;
  }
  answer->line = answer->head.size;
  answer->at = CNK_ANSWER_AT_FIELD;
  return CNK_ANSWER_MORE;
}

/* Whoever does not speak HTTP may never end a line. */
static bool may_be_http(const struct cnk_answer *answer)
{
  static const char start[] = "HTTP/1.";
  size_t size = answer->head.size < sizeof start - 1 ? answer->head.size : sizeof start - 1;
  return answer->at != CNK_ANSWER_AT_STATUS || memcmp(answer->head.data, start, size) == 0;
}

static enum cnk_answer_state feed_line(struct cnk_answer *answer, const char *data, size_t size, size_t *used)
{
  const char *end = memchr(data, '\n', size);
  *used = end ? (size_t)(end - data) + 1 : size;
  answer->head_seen += *used;
  if (answer->head_seen > answer->most_head)
    return CNK_ANSWER_TOO_LARGE;
  if (!cnk_buffer_add(&answer->head, data, *used))
    return CNK_ANSWER_OUT_OF_MEMORY;
  if (!may_be_http(answer))
    return CNK_ANSWER_REFUSED;
  return end ? end_line(answer) : CNK_ANSWER_MORE;
}

/* ---- the body ---------------------------------------------------------------------------------------------------- */

static enum cnk_answer_state feed_body(struct cnk_answer *answer, const char *data, size_t size, size_t *used)
{
  *used = size < answer->left ? size : (size_t)answer->left;
  if (!cnk_buffer_add(&answer->body, data, *used))
    return CNK_ANSWER_OUT_OF_MEMORY;
  answer->left -= *used;
  if (answer->left > 0)
    return CNK_ANSWER_MORE;
  if (answer->at == CNK_ANSWER_AT_BODY)
    return over(answer);
  answer->at = CNK_ANSWER_AT_CHUNK_CR;
  return CNK_ANSWER_MORE;
}

static enum cnk_answer_state feed_rest(struct cnk_answer *answer, const char *data, size_t size, size_t *used)
{
  *used = size;
  if (size > answer->most_body - answer->body.size)
    return CNK_ANSWER_TOO_LARGE;
  return cnk_buffer_add(&answer->body, data, size) ? CNK_ANSWER_MORE : CNK_ANSWER_OUT_OF_MEMORY;
}

static int hexadecimal(char c)
{
  if (is_digit(c))
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The line is over: what follows it? */
static enum cnk_answer_state begin_chunk(struct cnk_answer *answer)
{
  uint64_t size = answer->length;
  answer->digits = 0;
  if (size > 0)
    return expect(answer, CNK_ANSWER_AT_CHUNK, size);
  answer->at = CNK_ANSWER_AT_TRAILER;
  answer->line = answer->head.size;
  return CNK_ANSWER_MORE;
}

static bool take_digit(struct cnk_answer *answer, char c)
{
  int value = hexadecimal(c);
  if (value < 0 || answer->digits == MOST_DIGITS)
    return false;
  answer->length = (answer->digits++ == 0 ? 0 : answer->length << 4) + (uint64_t)value;
  return true;
}

/* One byte of "1a;extension=1" CR LF, or of the CR LF behind a chunk. */
static enum cnk_answer_state feed_frame(struct cnk_answer *answer, char c)
{
  switch (answer->at) {
  case CNK_ANSWER_AT_SIZE:
    if (take_digit(answer, c))
      return CNK_ANSWER_MORE;
    if (answer->digits == 0 || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
      return CNK_ANSWER_REFUSED;
    answer->at = c == '\r' ? CNK_ANSWER_AT_SIZE_LF : CNK_ANSWER_AT_EXTENSION;
    return CNK_ANSWER_MORE;
  case CNK_ANSWER_AT_EXTENSION:
    if (++answer->head_seen > answer->most_head)
      return CNK_ANSWER_TOO_LARGE;
    if (c == '\r')
      answer->at = CNK_ANSWER_AT_SIZE_LF;
    return c == '\r' || cnk_framing_is_value(&c, 1) ? CNK_ANSWER_MORE : CNK_ANSWER_REFUSED;
  case CNK_ANSWER_AT_SIZE_LF: return c == '\n' ? begin_chunk(answer) : CNK_ANSWER_REFUSED;
  case CNK_ANSWER_AT_CHUNK_CR: answer->at = CNK_ANSWER_AT_CHUNK_LF; return c == '\r' ? CNK_ANSWER_MORE : CNK_ANSWER_REFUSED;
  default: answer->at = CNK_ANSWER_AT_SIZE; return c == '\n' ? CNK_ANSWER_MORE : CNK_ANSWER_REFUSED;
  }
}

enum cnk_answer_state cnk_answer_feed(struct cnk_answer *answer, const char *data, size_t size, size_t *used)
{
  enum cnk_answer_state state = CNK_ANSWER_MORE;
  size_t at = 0;
  while (at < size && state == CNK_ANSWER_MORE) {
    size_t part = 1;
    switch (answer->at) {
    case CNK_ANSWER_AT_STATUS:
    case CNK_ANSWER_AT_FIELD:
    case CNK_ANSWER_AT_TRAILER: state = feed_line(answer, data + at, size - at, &part); break;
    case CNK_ANSWER_AT_BODY:
    case CNK_ANSWER_AT_CHUNK: state = feed_body(answer, data + at, size - at, &part); break;
    case CNK_ANSWER_AT_END: state = feed_rest(answer, data + at, size - at, &part); break;
    case CNK_ANSWER_AT_NOTHING: *used = at; return CNK_ANSWER_DONE;
    default: state = feed_frame(answer, data[at]); break;
    }
    at += part;
  }
  *used = at;
  return state;
}
