/* SPDX-License-Identifier: MIT */
/*
 * Deliberate faults in functions of src/, for the negative controls of `make fuzz`: the linker puts these in the place of the
 * functions (--wrap, see make/fuzz.mk). One of each kind that the sanitizers know: bytes read behind their end, a leak,
 * and a check that lets everything through. Faults in parsers that are Lua are in `plant` of their targets.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "http/framing.h"
#include "http/out/reply.h"
#include "whatsapp/identity.h"
#include "json/scan.h"

static volatile char seen;

/* Reads on where a number ends. */
bool __real_cnk_identity_is_number(struct cnk_text text, size_t least, size_t most);
bool __wrap_cnk_identity_is_number(struct cnk_text text, size_t least, size_t most);
bool __wrap_cnk_identity_is_number(struct cnk_text text, size_t least, size_t most)
{
  if (text.size > 3 && text.data[0] == '9') {
    char *copy = malloc(text.size);
    memcpy(copy, text.data, text.size);
    seen = copy[text.size]; /* the fault */
    free(copy);
  }
  return __real_cnk_identity_is_number(text, least, most);
}

/* Expects four digits behind every \u. */
bool __real_cnk_jsonscan_run(struct cnk_jsonscan *scan);
bool __wrap_cnk_jsonscan_run(struct cnk_jsonscan *scan);
bool __wrap_cnk_jsonscan_run(struct cnk_jsonscan *scan)
{
  char *copy = malloc(scan->length + 1);
  memcpy(copy, scan->text, scan->length);
  for (size_t i = 0; i + 1 < scan->length; i++)
    if (copy[i] == '\\' && copy[i + 1] == 'u')
      seen = copy[i + 5]; /* the fault */
  free(copy);
  return __real_cnk_jsonscan_run(scan);
}

/* Forgets a copy of what is no base64. */
size_t __real_cnk_base64_decode(const char *text, size_t size, unsigned char *out);
size_t __wrap_cnk_base64_decode(const char *text, size_t size, unsigned char *out);
size_t __wrap_cnk_base64_decode(const char *text, size_t size, unsigned char *out)
{
  char *copy = malloc(size + 1);
  memcpy(copy, text, size);
  seen = copy[0];
  size_t decoded = __real_cnk_base64_decode(text, size, out);
  if (decoded != (size_t)-1)
    free(copy);
  return decoded;
}

/* Lets line breaks into headers. */
bool __wrap_cnk_framing_is_value(const char *text, size_t size);
bool __wrap_cnk_framing_is_value(const char *text, size_t size)
{
  (void)text, (void)size;
  return true;
}

/* Takes the end of a connection for the end of an answer. */
bool __wrap_cnk_reply_may_end(const struct cnk_reply *answer);
bool __wrap_cnk_reply_may_end(const struct cnk_reply *answer)
{
  (void)answer;
  return true;
}
