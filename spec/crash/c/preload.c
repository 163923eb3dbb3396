/* SPDX-License-Identifier: MIT */
/*
 * Loaded before the libraries of a host under test (LD_PRELOAD): fails writes, syncs and allocations where it is told
 * to. The orders are in a small file that both sides map or write (CRASH_CONTROL names it), 32-bit numbers in the order
 * of struct orders; faults.lua is the other side. Only what belongs to the store is failed on the disk: files whose
 * names hold ".db", but not the lock.
 *
 * Linux and glibc only, and never part of the program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <lua.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct orders {
  _Atomic int32_t disk_after;  /* the n-th write or sync from now fails, once; 0: none */
  _Atomic int32_t disk_errno;  /* with this error */
  _Atomic int32_t disk_full;   /* while it is not 0, all of them fail */
  _Atomic int32_t disk_seen;   /* how many there were */
  _Atomic int32_t disk_failed; /* how many failed */
  _Atomic int32_t heap_after;  /* the n-th allocation of the C library's heap from now fails, once */
  _Atomic int32_t heap_seen, heap_failed;
  _Atomic int32_t lua_after; /* the n-th allocation of Lua from now fails, with the repeat that Lua makes of it */
  _Atomic int32_t lua_seen, lua_failed;
};

static struct orders nothing, *orders = &nothing;

__attribute__((constructor)) static void read_orders(void)
{
  const char *path = getenv("CRASH_CONTROL");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0)
    return;
  void *map = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (map != MAP_FAILED)
    orders = map;
}

#define PUBLIC __attribute__((visibility("default")))

/* For a breakpoint: what failed, and who asked. */
PUBLIC void preload_fails(void);

PUBLIC __attribute__((noinline)) void preload_fails(void)
{
  __asm__ volatile("");
}

/* Counts down; true at the moment of the n-th. */
static bool is_due(_Atomic int32_t *after)
{
  if (atomic_load(after) <= 0 || atomic_fetch_sub(after, 1) != 1)
    return false;
  preload_fails();
  return true;
}

/* ---- disk -------------------------------------------------------------------------------------------------------- */

static bool is_of_store(int file)
{
  char link[32], name[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, name, sizeof name - 1);
  if (size <= 0)
    return false;
  name[size] = '\0';
  return strstr(name, ".db") && !strstr(name, "-lock");
}

static bool fails_on_disk(int file)
{
  if (!is_of_store(file))
    return false;
  atomic_fetch_add(&orders->disk_seen, 1);
  bool is_failing = is_due(&orders->disk_after) || atomic_load(&orders->disk_full);
  if (!is_failing)
    return false;
  atomic_fetch_add(&orders->disk_failed, 1);
  errno = atomic_load(&orders->disk_errno);
  return true;
}

#define PASS_ON(result, name, types, values)                                                                           \
  static result(*real) types;                                                                                          \
  if (!real)                                                                                                           \
    *(void **)&real = dlsym(RTLD_NEXT, #name);                                                                         \
  return real values

PUBLIC ssize_t pwrite(int file, const void *data, size_t size, off_t offset)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(ssize_t, pwrite, (int, const void *, size_t, off_t), (file, data, size, offset));
}

PUBLIC ssize_t pwrite64(int file, const void *data, size_t size, off64_t offset)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(ssize_t, pwrite64, (int, const void *, size_t, off64_t), (file, data, size, offset));
}

PUBLIC int fsync(int file)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(int, fsync, (int), (file));
}

PUBLIC int fdatasync(int file)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(int, fdatasync, (int), (file));
}

PUBLIC int ftruncate(int file, off_t size)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(int, ftruncate, (int, off_t), (file, size));
}

PUBLIC int ftruncate64(int file, off64_t size)
{
  if (fails_on_disk(file))
    return -1;
  PASS_ON(int, ftruncate64, (int, off64_t), (file, size));
}

/* ---- heap -------------------------------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);

static bool fails_on_heap(void)
{
  atomic_fetch_add(&orders->heap_seen, 1);
  if (!is_due(&orders->heap_after))
    return false;
  atomic_fetch_add(&orders->heap_failed, 1);
  errno = ENOMEM;
  return true;
}

PUBLIC void *malloc(size_t size)
{
  return fails_on_heap() ? NULL : __libc_malloc(size);
}

PUBLIC void *calloc(size_t count, size_t size)
{
  return fails_on_heap() ? NULL : __libc_calloc(count, size);
}

PUBLIC void *realloc(void *block, size_t size)
{
  return size > 0 && fails_on_heap() ? NULL : __libc_realloc(block, size);
}

/* ---- Lua --------------------------------------------------------------------------------------------------------- */

static lua_Alloc inner;
static bool is_repeat; /* Lua collects its garbage and asks once more */

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
  /* Lua relies on a block that shrinks. */
  if (new_size == 0 || (block && new_size <= old_size))
    return inner(context, block, old_size, new_size);
  atomic_fetch_add(&orders->lua_seen, 1);
  if (is_repeat || is_due(&orders->lua_after)) {
    is_repeat = !is_repeat;
    atomic_fetch_add(&orders->lua_failed, is_repeat ? 1 : 0);
    return NULL;
  }
  return inner(context, block, old_size, new_size);
}

PUBLIC lua_State *lua_newstate(lua_Alloc function, void *context)
{
  static lua_State *(*real)(lua_Alloc, void *);
  if (!real)
    *(void **)&real = dlsym(RTLD_NEXT, "lua_newstate");
  inner = function;
  return real(allocate, context);
}
