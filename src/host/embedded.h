/* SPDX-License-Identifier: MIT */
/*
 * The Lua files inside the host: a table that src/host/embed.lua writes at build time into build/embedded.c, from
 * the same files that the linters read and LuaRocks installs.
 */
#ifndef CNK_EMBEDDED_H
#define CNK_EMBEDDED_H

#include <stddef.h>

struct cnk_embedded {
  const char *module; /* "cunnekt.bot" */
  const char *chunk;  /* "@cunnekt/bot/init.lua": what tracebacks show */
  const unsigned char *source;
  size_t size;
};

/* Ends with an entry whose module is NULL. */
extern const struct cnk_embedded cnk_embedded_files[];

#endif
