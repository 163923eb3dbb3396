/* SPDX-License-Identifier: MIT */
/* What a backend of the store is, for those that are one; see store.h for the contract of each function. */
#ifndef CNK_STORE_BACKEND_H
#define CNK_STORE_BACKEND_H

#include "store/store.h"

/* Everything is called on the loop's thread. */
struct cnk_store_backend {
  struct cnk_store_call *(*new_call)(struct cnk_store *store);
  void (*release)(struct cnk_store_call *call);
  bool (*run)(struct cnk_store *store, struct cnk_store_call *call);
  bool (*backup)(struct cnk_store *store, const char *path, struct cnk_store_task *task);
  void (*close)(struct cnk_store *store, struct cnk_store_task *task);
  bool (*is_writable)(const struct cnk_store *store);
  void (*read_trouble)(struct cnk_store *store, char *message, size_t size);
  struct cnk_store_stats (*read_stats)(struct cnk_store *store);
  void (*on_shut)(struct cnk_store *store, void (*on_shut)(void *context), void *context);
  enum cnk_store_hold (*hold)(const struct cnk_store *store);    /* NULL: always sure */
  struct cnk_store_owner (*read_owner)(struct cnk_store *store); /* NULL: nobody else */
  /* The number of a question or a repair, and the names of its parameters; -1 when there is none of this name. */
  int (*find)(bool is_repair, const char *name, const char *const **parameters, size_t *count);
  const char *(*code_name)(int status);
};

#endif
