/* SPDX-License-Identifier: MIT */
/* What C code that looks at decoded JSON must know. */
#ifndef CNK_BIND_JSON_H
#define CNK_BIND_JSON_H

/* The name of the metatable that marks lists: json.array gives it to its table, json.decode to empty ones. */
#define CNK_JSON_ARRAY "cunnekt.json.array"

#endif
