/* SPDX-License-Identifier: MIT */
/*
 * What an operator asks about the machine: folders, files, free space, memory, libraries. Each asks the system on the
 * spot, which may wait for a disk: for the command line, and for a running host only where it says so.
 */
#ifndef CNK_SYSTEM_H
#define CNK_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cnk_system_file {
  uint64_t size;
  unsigned mode;    /* permissions only */
  unsigned owner;   /* the number of the user */
  const char *kind; /* static: "file", "folder", "socket" or "other" */
};

/* These return 0, or a libuv error, which is negative; cnk_system_error() has a sentence for it. */
int cnk_system_folder(char *out, size_t size);
int cnk_system_stat(const char *path, struct cnk_system_file *out);
/* What tells a file from every other one of its file system. */
int cnk_system_inode(const char *path, uint64_t *out);
/* Whether this process may write to a file, or make files in a folder: 0, or why not. */
int cnk_system_may_write(const char *path);
/* Bytes that this user may still write to the file system that holds `path`. */
int cnk_system_disk_free(const char *path, uint64_t *out);
/* The names in a folder, each with a zero behind it, as far as they fit into `size`; `needed` is set to the bytes that all take. */
int cnk_system_names(const char *path, char *out, size_t size, size_t *needed);
/* Bytes of this process in memory; waits for no disk. */
int cnk_system_memory(uint64_t *out);
const char *cnk_system_error(int status);

/* The libraries in use, in order from 0; NULL after the last. The strings are static. */
const char *cnk_system_library(int index, const char **version);

/* Whether a person sees what is written to this descriptor. */
bool cnk_system_is_terminal(int descriptor);

/* The numbers of this process, and of the user that it is. */
int cnk_system_pid(void);
unsigned cnk_system_user(void);

#endif
