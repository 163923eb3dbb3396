/* SPDX-License-Identifier: MIT */
/* Finds libedit; see library.h. */
#include "terminal/library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

/* Debian's name, that of others, macOS's. */
static const char *const names[] = {"libedit.so.2", "libedit.so.0", "libedit.3.dylib"};

static struct cnk_libedit found;

static const struct {
  const char *name;
  void **place;
} functions[] = {
    {"el_init",       (void **)&found.init        },
    {"el_end",        (void **)&found.end         },
    {"el_wset",       (void **)&found.set         },
    {"el_wget",       (void **)&found.get         },
    {"el_wgets",      (void **)&found.gets        },
    {"el_wline",      (void **)&found.line        },
    {"el_winsertstr", (void **)&found.insert      },
    {"el_resize",     (void **)&found.resize      },
    {"history_winit", (void **)&found.history_init},
    {"history_wend",  (void **)&found.history_end },
    {"history_w",     (void **)&found.history     },
};

static bool look_up_all(void *library)
{
  for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
    *functions[i].place = dlsym(library, functions[i].name);
    if (!*functions[i].place)
      return false;
  }
  return true;
}

const struct cnk_libedit *cnk_libedit_find(void)
{
  static bool was_sought, is_found;
  for (size_t i = 0; !was_sought && !is_found && i < sizeof names / sizeof names[0]; i++) {
    void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!library)
      continue;
    is_found = look_up_all(library);
    if (!is_found)
      dlclose(library);
  }
  was_sought = true;
  return is_found ? &found : NULL;
}
