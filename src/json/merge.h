/* SPDX-License-Identifier: MIT */
/*
 * Two JSON objects as one, member by member. Members are copied as they are written, so no number or text changes.
 */
#ifndef CNK_JSON_MERGE_H
#define CNK_JSON_MERGE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/text.h"

/* Appends to `out` an object with all members of `first`, and those of `second` whose names `first` does not have. Names are
 * compared as they are written. Both must be valid JSON. False when one is no object, or memory is out; `out` may
 * have grown then. */
bool cnk_json_merge(struct cnk_buffer *out, struct cnk_text first, struct cnk_text second);

#endif
