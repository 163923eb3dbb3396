/* SPDX-License-Identifier: MIT */
/* The note in a lock file; see note.h for the contract. */
#include "store/sqlite/note.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The words of the whole head: magic, version, page size, sequence number, two salts, and two sums of these. */
enum { HEAD_WORDS = 8, SUMMED_WORDS = 6, NUMBER = 3, SALT = 4, MAGIC = 0x377f0682 };

bool cnk_note_is_same_log(const struct cnk_log_head *known, const struct cnk_log_head *next)
{
  const uint32_t *a = known->words, *b = next->words;
  return memcmp(a, b, NUMBER * sizeof *a) == 0 &&
         ntohl(b[NUMBER]) - ntohl(a[NUMBER]) == ntohl(b[SALT]) - ntohl(a[SALT]);
}

void cnk_note_write(char *note, size_t size, const struct cnk_log_head *head, ino_t database, ino_t log)
{
  const uint32_t *words = head->words;
  snprintf(note, size, "log %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 " %" PRIx32 " of %ju %ju\n", words[0],
           words[1], words[2], words[3], words[4], (uintmax_t)database, (uintmax_t)log);
}

/* A head that a power cut left incomplete does not count: SQLite begins such a log anew. */
static bool is_whole(const uint32_t words[HEAD_WORDS])
{
  uint32_t sums[2] = {0, 0};
  bool is_big = ntohl(words[0]) & 1;
  if ((ntohl(words[0]) & ~UINT32_C(1)) != MAGIC)
    return false;
  for (int i = 0; i < SUMMED_WORDS; i += 2) {
    uint32_t one = ntohl(words[i]), two = ntohl(words[i + 1]);
    sums[0] += (is_big ? one : __builtin_bswap32(one)) + sums[1];
    sums[1] += (is_big ? two : __builtin_bswap32(two)) + sums[0];
  }
  return sums[0] == ntohl(words[SUMMED_WORDS]) && sums[1] == ntohl(words[SUMMED_WORDS + 1]);
}

/* False when there is no log that SQLite would read. */
static bool read_log(const char *path, uint32_t words[HEAD_WORDS], struct stat *found)
{
  char *name = NULL;
  if (asprintf(&name, "%s-wal", path) < 0)
    return false;
  int descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  free(name);
  if (descriptor < 0)
    return false;
  const ssize_t size = HEAD_WORDS * sizeof *words;
  bool is_read = fstat(descriptor, found) == 0 && pread(descriptor, words, (size_t)size, 0) == size;
  close(descriptor);
  return is_read && is_whole(words);
}

bool cnk_note_fits(const char *content, const char *path)
{
  uint32_t words[HEAD_WORDS];
  struct stat log, database;
  const char *note = strchr(content, '\n');
  if (!note || !note[1] || !read_log(path, words, &log))
    return true;
  if (strcmp(note + 1, CNK_NOTE_CLOSED) == 0)
    return false;
  struct cnk_log_head known = {{0}}, next;
  uintmax_t database_inode, log_inode;
  uint32_t *to = known.words;
  memcpy(&next, words, sizeof next);
  if (sscanf(note + 1, "log %" SCNx32 " %" SCNx32 " %" SCNx32 " %" SCNx32 " %" SCNx32 " of %ju %ju", to, to + 1, to + 2,
             to + 3, to + 4, &database_inode, &log_inode) != 7)
    return true;
  /* Files that were moved together both have new inodes. A new inode of the database alone means that it was replaced. */
  bool is_replaced = stat(path, &database) == 0 && database.st_ino != database_inode && log.st_ino == log_inode;
  return cnk_note_is_same_log(&known, &next) && !is_replaced;
}
