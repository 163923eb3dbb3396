/* SPDX-License-Identifier: MIT */
/*
 * What names and values of header fields may be, in both directions. Whatever frames a message wrongly lets one message
 * look like two to somebody on the way, so nothing is sent, and nothing taken, that these refuse. Pure functions over
 * borrowed memory; no locale is involved.
 */
#ifndef CNK_FRAMING_H
#define CNK_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

/* A token, as methods and names of fields are (RFC 9110, 5.6.2); never empty. */
bool cnk_framing_is_token(const char *text, size_t size);

/* A value: no control character but tab. Bytes from 0x80 on are allowed, for nobody disagrees about where they end. */
bool cnk_framing_is_value(const char *text, size_t size);

/* A request target or URL: no control character, no space, and not empty. */
bool cnk_framing_is_target(const char *text, size_t size);

/* Whether a name is `wanted`, in any case. */
bool cnk_framing_is_name(const char *name, size_t size, const char *wanted);

/* Whether a field says where the body ends. Those are made from the body: one that contradicts it is a lie. */
bool cnk_framing_is_length(const char *name, size_t size);

#endif
