/* SPDX-License-Identifier: MIT */
/* Checks of a request head; see head.h for what and why. */
#include "http/in/head.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "http/framing.h"

struct head_check {
  const char *next; /* where the next field's name must start; NULL: not measured */
  bool is_bad;
  const char *host, *coding, *length;
  int hosts, codings, lengths;
};

/* The strings lie in the read buffer: NAME NUL spaces VALUE NUL NUL, the NULs being what `:` and CR LF were. */
static bool lies_well(struct head_check *check, const char *name, size_t name_size, const char *value,
                      size_t value_size)
{
  if (!check->next)
    return true;
  const char *at = name + name_size + 1;
  if (name != check->next)
    return false;
  at += strspn(at, " \t");
  check->next = value + value_size + 2;
  return at == value;
}

static enum MHD_Result check_field(void *closure, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
  (void)kind;
  struct head_check *check = closure;
  if (!value) {
    check->is_bad = true;
    return MHD_NO;
  }
  if (!cnk_framing_is_token(name, name_size) || !cnk_framing_is_value(value, value_size) ||
      !lies_well(check, name, name_size, value, value_size)) {
    check->is_bad = true;
    return MHD_NO;
  }
  /* The first letter rules most fields out without a comparison. */
  char first = (char)(name[0] | 0x20);
  if (first == 'h' && cnk_framing_is_name(name, name_size, "Host")) {
    check->hosts++;
    check->host = value;
  } else if (first == 't' && cnk_framing_is_name(name, name_size, "Transfer-Encoding")) {
    check->codings++;
    check->coding = value;
  } else if (first == 'c' && cnk_framing_is_name(name, name_size, "Content-Length")) {
    check->lengths++;
    check->length = value;
  }
  return MHD_YES;
}

/* Does this libmicrohttpd parse in place, as head.h describes? */
bool cnk_head_is_measured(void)
{
  static int answer = -1; /* several threads would find the same */
  if (answer < 0) {
    int major = 0, minor = 0, patch = 0;
    int count = sscanf(MHD_get_version(), "%d.%d.%d", &major, &minor, &patch);
    answer = count == 3 && major == 0 && minor == 9 && patch <= 75;
  }
  return answer;
}

/* `text` is ended by NUL. Zero when it is no number of bytes, or none that we could hold. */
static bool read_length(const char *text, size_t *length)
{
  size_t value = 0;
  if (!*text)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9')
      return false;
    size_t digit = (size_t)(*text - '0');
    value = value > (SIZE_MAX - digit) / 10 ? SIZE_MAX : value * 10 + digit;
  }
  *length = value;
  return true;
}

static unsigned check_framing(const struct head_check *check, bool is_1_1, size_t max_body, struct cnk_head *head)
{
  if (check->hosts > 1 || (is_1_1 && check->hosts == 0))
    return MHD_HTTP_BAD_REQUEST;
  if (check->host && strpbrk(check->host, " \t/@,?#\\"))
    return MHD_HTTP_BAD_REQUEST;
  if (check->codings > 0) {
    if (check->codings > 1 || check->lengths > 0 || !is_1_1 || strcasecmp(check->coding, "chunked") != 0)
      return MHD_HTTP_BAD_REQUEST;
    head->is_chunked = true;
  }
  if (check->lengths > 0) {
    if (check->lengths > 1 || !read_length(check->length, &head->content_length))
      return MHD_HTTP_BAD_REQUEST;
    if (head->content_length > max_body)
      return MHD_HTTP_CONTENT_TOO_LARGE;
  }
  return 0;
}

unsigned cnk_head_check(struct MHD_Connection *connection, const struct cnk_head_line *line, size_t max_body,
                        struct cnk_head *head)
{
  *head = (struct cnk_head){0};
  size_t method_size = strlen(line->method);
  if (!line->target)
    return MHD_HTTP_URI_TOO_LONG;
  if (!cnk_framing_is_token(line->method, method_size) || !cnk_framing_is_target(line->target, line->target_size))
    return MHD_HTTP_BAD_REQUEST;
  bool is_1_1 = strcmp(line->version, "HTTP/1.1") == 0;
  if (!is_1_1 && strcmp(line->version, "HTTP/1.0") != 0)
    return MHD_HTTP_HTTP_VERSION_NOT_SUPPORTED;

  struct head_check check = {0};
  bool is_measured = cnk_head_is_measured();
  if (is_measured) {
    if (line->raw_target != line->method + method_size + 1 || line->version != line->raw_target + line->target_size + 1)
      return MHD_HTTP_BAD_REQUEST;
    check.next = line->version + strlen(line->version) + 2;
  }
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, check_field, &check);
  if (check.is_bad)
    return MHD_HTTP_BAD_REQUEST;
  if (is_measured) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!info || check.next + 2 != line->method + info->header_size)
      return MHD_HTTP_BAD_REQUEST;
  }
  return check_framing(&check, is_1_1, max_body, head);
}
