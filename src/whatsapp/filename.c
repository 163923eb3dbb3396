/* SPDX-License-Identifier: MIT */
/* Safe file names; see filename.h for the contract. */
#include "whatsapp/filename.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

#define EXTENSION_MAX 16 /* bytes after a last dot that still count as an extension */

struct name {
  char *bytes;
  size_t length, limit;
};

static void add(struct name *to, const char *bytes, size_t length)
{
  if (to->length + length <= to->limit) {
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
  } else {
    to->limit = to->length; /* nothing after what did not fit */
  }
}

/* Characters that show nothing, or that turn what follows around: "exe.gpj" can be made to look like "jpg.exe". */
static bool is_invisible(const char *at, size_t length)
{
  const unsigned char *c = (const unsigned char *)at;
  if (length == 2)
    return c[0] == 0xC2 && c[1] < 0xA0; /* C1 controls */
  if (length != 3)
    return false;
  if (c[0] == 0xEF)
    return c[1] == 0xBB && c[2] == 0xBF; /* U+FEFF */
  if (c[0] != 0xE2)
    return false;
  return c[1] == 0x80 ? (c[2] >= 0x8B && c[2] <= 0x8F) || (c[2] >= 0xA8 && c[2] <= 0xAE) /* 200B-F, 2028-E */
                      : c[1] == 0x81 && c[2] >= 0xA0 && c[2] <= 0xAF;                    /* 2060-F */
}

/* Appends `text` without what a name must not hold; runs of dots shrink to one. */
static void add_clean(struct name *to, struct cnk_text text)
{
  size_t length, bad = 0;
  for (size_t i = 0; i < text.size; i += length ? length : bad) {
    const char *at = text.data + i;
    length = cnk_utf8_length(at, text.size - i, &bad);
    bool is_first = to->length == 0;
    if (length == 0 || (unsigned char)*at < 0x20 || *at == 0x7F || strchr("/\\:*?\"<>|", *at))
      add(to, "_", 1);
    else if (*at == '.' && (is_first || to->bytes[to->length - 1] == '.'))
      continue;
    else if ((*at == ' ' && is_first) || is_invisible(at, length))
      continue;
    else
      add(to, at, length);
  }
  while (to->length > 0 && strchr(". ", to->bytes[to->length - 1]))
    to->length--;
}

/* Names that Windows keeps for devices, with any extension. */
static bool is_device(const char *stem, size_t length)
{
  static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"};
  const char *dot = memchr(stem, '.', length);
  length = dot ? (size_t)(dot - stem) : length;
  while (length > 0 && stem[length - 1] == ' ')
    length--;
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++)
    if (length == strlen(devices[i]) && strncasecmp(stem, devices[i], length) == 0)
      return true;
  bool is_port = length >= 4 && (strncasecmp(stem, "com", 3) == 0 || strncasecmp(stem, "lpt", 3) == 0);
  return is_port && ((length == 4 && stem[3] >= '0' && stem[3] <= '9') ||
                     (length == 5 && (memcmp(stem + 3, "\xC2\xB9", 2) == 0 || memcmp(stem + 3, "\xC2\xB2", 2) == 0 ||
                                      memcmp(stem + 3, "\xC2\xB3", 2) == 0)));
}

static struct cnk_text extension_of(struct cnk_text mime_type)
{
  /* What WhatsApp carries (Meta: Cloud API, supported media types), and a few of what people send as documents. */
  static const char *const known[][2] = {
      {"image/jpeg",                                                                "jpg" },
      {"image/png",                                                                 "png" },
      {"image/webp",                                                                "webp"},
      {"image/gif",                                                                 "gif" },
      {"video/mp4",                                                                 "mp4" },
      {"video/3gpp",                                                                "3gp" },
      {"audio/aac",                                                                 "aac" },
      {"audio/mp4",                                                                 "m4a" },
      {"audio/mpeg",                                                                "mp3" },
      {"audio/amr",                                                                 "amr" },
      {"audio/ogg",                                                                 "ogg" },
      {"audio/opus",                                                                "opus"},
      {"application/pdf",                                                           "pdf" },
      {"application/msword",                                                        "doc" },
      {"application/vnd.ms-excel",                                                  "xls" },
      {"application/vnd.ms-powerpoint",                                             "ppt" },
      {"application/vnd.openxmlformats-officedocument.wordprocessingml.document",   "docx"},
      {"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",         "xlsx"},
      {"application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"},
      {"text/plain",                                                                "txt" },
      {"text/csv",                                                                  "csv" },
      {"text/html",                                                                 "html"},
      {"text/vcard",                                                                "vcf" },
      {"application/json",                                                          "json"},
      {"application/zip",                                                           "zip" },
  };
  size_t length = 0; /* without parameters: "audio/ogg; codecs=opus" */
  while (length < mime_type.size && !strchr("; \t", mime_type.data[length]))
    length++;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strlen(known[i][0]) == length && strncasecmp(known[i][0], mime_type.data, length) == 0)
      return (struct cnk_text){known[i][1], strlen(known[i][1])};
  return (struct cnk_text){"bin", 3};
}

/* Puts stem and extension together; gives 0 when nothing is left of either. */
static size_t join(char out[CNK_FILENAME_MAX + 1], struct cnk_text stem, struct cnk_text extension)
{
  char tail[EXTENSION_MAX + 1] = "";
  struct name end = {.bytes = tail, .limit = EXTENSION_MAX};
  add_clean(&end, extension);
  struct name all = {.bytes = out + 1, .limit = CNK_FILENAME_MAX - 2 - end.length};
  add_clean(&all, stem);
  if (all.length > 0 && end.length > 0)
    out[++all.length] = '.';
  memcpy(out + 1 + all.length, tail, end.length);
  all.length += end.length;
  if (all.length == 0)
    return 0;
  /* To a shell or a command, a leading dash is an option and a leading tilde a home folder. */
  bool needs_prefix = is_device(out + 1, all.length) || out[1] == '-' || out[1] == '~';
  if (needs_prefix)
    *out = '_';
  else
    memmove(out, out + 1, all.length);
  all.length += needs_prefix;
  out[all.length] = '\0';
  return all.length;
}

static struct cnk_text last_part(struct cnk_text name)
{
  for (size_t i = name.size; i > 0; i--)
    if (name.data[i - 1] == '/' || name.data[i - 1] == '\\')
      return (struct cnk_text){name.data + i, name.size - i};
  return name;
}

size_t cnk_filename_make(char out[CNK_FILENAME_MAX + 1], struct cnk_text name, struct cnk_text mime_type,
                         struct cnk_text id)
{
  struct cnk_text stem = last_part(name), extension = {"", 0};
  for (size_t i = 1; i <= EXTENSION_MAX + 1 && i <= stem.size; i++) {
    if (stem.data[stem.size - i] == '.') {
      extension = (struct cnk_text){stem.data + stem.size - i + 1, i - 1};
      stem.size -= i;
      break;
    }
  }
  size_t length = stem.size || extension.size ? join(out, stem, extension) : 0;
  if (length > 0)
    return length;
  char clean[CNK_FILENAME_MAX];
  struct name own = {.bytes = clean, .limit = sizeof clean};
  add_clean(&own, id);
  if (own.length == 0)
    add_clean(&own, (struct cnk_text){"file", 4});
  return join(out, (struct cnk_text){clean, own.length}, extension_of(mime_type));
}
