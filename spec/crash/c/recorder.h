/* SPDX-License-Identifier: MIT */
/*
 * For tests: an SQLite VFS named "recorder" over the default one, which notes everything that would change the disk,
 * in order, and fails where it is told to. From the notes come images of what a disk may hold after a power cut.
 *
 * recording_vfs.c is the VFS, crash_image.c makes the images, recorder.c is the Lua module `recorder`.
 */
#ifndef CNK_RECORDER_H
#define CNK_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op_kind {
  OP_CREATE,
  OP_WRITE,
  OP_TRUNCATE,
  OP_SYNC, /* a sync that has succeeded; `began` is the op before which it began; `size` is 1 with the folder's */
  OP_SYNC_FAILED,
  OP_DELETE, /* `size` as above */
  OP_MARK,   /* the test's: something was acknowledged */
};

struct op {
  enum op_kind kind;
  int file;
  int64_t offset, size;
  size_t began;
  char *data;
};

struct recording {
  struct op *ops;
  size_t count, capacity;
  char *names[64]; /* of files, without their folder */
  int files;
};

/* What the VFS shall do wrong. Counts are of matching operations from now on; 0: never. */
struct recorder_faults {
  int fail_after;                      /* this one fails, once */
  int fail_for;                        /* and so many more behind it */
  int code;                            /* with this SQLite code */
  bool is_write, is_sync, is_truncate; /* which operations match */
  bool is_database_only;               /* of the database file, not of its log */
  bool is_lying;                       /* syncs of the database file say that they are done, and do nothing */
  int sync_delay_ms;                   /* of syncs of the database file, so that much happens meanwhile */
  int failed, seen;                    /* how often that has happened, and how many operations matched */
};

/* Registers the VFS; false when SQLite refuses. Safe to call again. */
bool recorder_install(void);

/* Begins a new recording, dropping the last one, when no recorded file is open. The recording belongs to the VFS; read
 * it when nothing writes. */
void recorder_begin(void);
struct recording *recorder_recording(void);

/* Notes that something was acknowledged; gives the number of operations until then. */
size_t recorder_mark(void);

void recorder_set_faults(const struct recorder_faults *faults);
struct recorder_faults recorder_faults(void);

/* How the unsynced part of an image is chosen. */
enum image_mode {
  IMAGE_ALL,     /* everything arrived: a killed process */
  IMAGE_NOTHING, /* only what was synced */
  IMAGE_PREFIX,  /* in order, up to some operation, and of that a part */
  IMAGE_OPS,     /* any of the operations */
  IMAGE_SECTORS, /* any of the 512-byte sectors, each as of any moment */
  IMAGE_PAGES,   /* the same with 4,096 bytes */
  IMAGE_GARBAGE, /* sectors, and those that never arrived in a grown file are random bytes */
  IMAGE_MODES,
};

/* Makes images of one recording, in order of their moments. */
struct imager;
struct imager *imager_new(const struct recording *recording, uint64_t seed);
void imager_free(struct imager *imager);
/* Writes the files as they may be when the power goes after `moment` operations into `folder`. False when they cannot
 * be written, or when `moment` is before that of the last image. */
bool imager_write(struct imager *imager, size_t moment, enum image_mode mode, uint64_t seed, const char *folder);

#endif
