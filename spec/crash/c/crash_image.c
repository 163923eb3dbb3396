/* SPDX-License-Identifier: MIT */
/*
 * Images of a disk after a power cut; see recorder.h.
 *
 * A disk owes only what a finished sync covers: operations before its beginning. Everything later may be there or not,
 * in parts and in any order. A sync that failed covers nothing, and what waited for it may be gone for good, even if
 * the next sync succeeds: that is how Linux treats pages that it could not write.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder.h"

#define FILES_MAX 64

struct content {
  char *data;
  size_t size, capacity;
  bool exists;
};

struct file_state {
  struct content base; /* surely on the disk */
  size_t *pending;     /* operations that may be, in order */
  size_t count, capacity;
};

struct imager {
  const struct recording *recording;
  uint64_t seed;
  size_t at; /* operations taken in so far */
  struct file_state files[FILES_MAX];
  struct content image;
};

/* splitmix64: the same choice for the same place in every run. */
static uint64_t mix(uint64_t x)
{
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static void *need(void *memory)
{
  if (!memory)
    abort();
  return memory;
}

static void resize(struct content *content, size_t size)
{
  if (size > content->capacity) {
    content->capacity = size * 2;
    content->data = need(realloc(content->data, content->capacity));
  }
  if (size > content->size)
    memset(content->data + content->size, 0, size - content->size);
  content->size = size;
}

static void put(struct content *content, size_t offset, const char *data, size_t size)
{
  if (!size)
    return;
  if (offset + size > content->size)
    resize(content, offset + size);
  memcpy(content->data + offset, data, size);
  content->exists = true;
}

static void apply(struct content *content, const struct op *op)
{
  switch (op->kind) {
  case OP_WRITE: put(content, (size_t)op->offset, op->data, (size_t)op->size); break;
  case OP_TRUNCATE: resize(content, (size_t)op->size); break;
  case OP_CREATE: content->exists = true; break;
  case OP_DELETE:
    content->exists = false;
    content->size = 0;
    break;
  default: break;
  }
}

/* ---- what a moment owes ---------------------------------------------------------------------------------------- */

static void settle(struct imager *imager, struct file_state *file, const struct op *sync)
{
  size_t kept = 0;
  for (size_t i = 0; i < file->count; i++) {
    size_t number = file->pending[i];
    if (number >= sync->began)
      file->pending[kept++] = number;
    else if (sync->kind == OP_SYNC || mix(imager->seed ^ number) & 1)
      apply(&file->base, &imager->recording->ops[number]);
  }
  file->count = kept;
}

/* The folder says which files there are; their content may still be on its way. */
static void settle_folder(struct imager *imager, size_t began)
{
  for (int i = 0; i < imager->recording->files; i++) {
    struct file_state *file = &imager->files[i];
    size_t gone = 0;
    for (size_t j = 0; j < file->count && file->pending[j] < began; j++) {
      const struct op *op = &imager->recording->ops[file->pending[j]];
      if (op->kind != OP_DELETE && op->kind != OP_CREATE)
        continue;
      apply(&file->base, op);
      if (op->kind == OP_DELETE)
        gone = j + 1;
    }
    file->count -= gone;
    memmove(file->pending, file->pending + gone, file->count * sizeof *file->pending);
  }
}

static void take_in(struct imager *imager, size_t number)
{
  const struct op *op = &imager->recording->ops[number];
  if (op->file < 0)
    return;
  struct file_state *file = &imager->files[op->file];
  if (op->kind == OP_SYNC || op->kind == OP_SYNC_FAILED) {
    settle(imager, file, op);
    if (op->size)
      settle_folder(imager, op->began);
  } else if (op->kind == OP_DELETE && op->size) {
    file->count = 0;
    apply(&file->base, op);
  } else {
    if (file->count == file->capacity) {
      file->capacity = file->capacity ? file->capacity * 2 : 256;
      file->pending = need(realloc(file->pending, file->capacity * sizeof *file->pending));
    }
    file->pending[file->count++] = number;
  }
}

/* ---- what it may hold besides ---------------------------------------------------------------------------------- */

/* The parts of a write that lie in blocks which are as new as that. Each block stands at some moment of its own. */
static void put_blocks(struct content *image, const struct op *op, size_t age, size_t ages, size_t block, uint64_t seed)
{
  for (size_t at = (size_t)op->offset, end = at + (size_t)op->size; at < end;) {
    size_t next = (at / block + 1) * block;
    size_t size = (next < end ? next : end) - at;
    if (mix(seed ^ (at / block)) % (ages + 1) > age)
      put(image, at, op->data + (at - (size_t)op->offset), size);
    at += size;
  }
}

static void put_torn(struct content *image, const struct op *op, uint64_t seed)
{
  size_t sectors = (size_t)op->size / 512;
  put(image, (size_t)op->offset, op->data, sectors ? mix(seed) % (sectors + 1) * 512 : 0);
}

/* Bytes of a grown file that never arrived need not be zero. */
static void fill_with_garbage(const struct imager *imager, const struct file_state *file, struct content *image,
                              uint64_t seed)
{
  size_t size = image->size, from = image->size;
  for (size_t i = 0; i < file->count; i++) {
    const struct op *op = &imager->recording->ops[file->pending[i]];
    if (op->kind == OP_WRITE && (size_t)(op->offset + op->size) > size)
      size = (size_t)(op->offset + op->size);
  }
  if (!image->exists || size == from)
    return;
  resize(image, size);
  for (size_t at = from; at < size; at++)
    image->data[at] = (char)mix(seed ^ at / 7);
}

static void apply_pending(struct imager *imager, const struct file_state *file, enum image_mode mode, uint64_t seed)
{
  struct content *image = &imager->image;
  size_t ages = file->count, first_lost = mix(seed) % (ages + 1);
  unsigned often = 1 + mix(seed + 1) % 9; /* of ten operations */
  if (mode == IMAGE_GARBAGE)
    fill_with_garbage(imager, file, image, seed);
  for (size_t age = 0; age < ages; age++) {
    const struct op *op = &imager->recording->ops[file->pending[age]];
    uint64_t dice = mix(seed ^ mix(file->pending[age]));
    bool is_kept = mode == IMAGE_ALL || (mode == IMAGE_PREFIX ? age < first_lost : dice % 10 < often);
    if (mode == IMAGE_NOTHING || (mode == IMAGE_PREFIX && age > first_lost))
      return;
    if (op->kind == OP_WRITE && mode == IMAGE_PREFIX && age == first_lost)
      put_torn(image, op, dice);
    else if (op->kind == OP_WRITE && mode >= IMAGE_SECTORS)
      put_blocks(image, op, age, ages, mode == IMAGE_PAGES ? 4096 : 512, seed);
    else if (is_kept)
      apply(image, op);
    else if (op->kind == OP_DELETE)
      return; /* what was written later went to another file of that name */
  }
}

static bool write_file(const char *folder, const char *name, const struct content *content)
{
  char path[600];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!content->exists)
    return unlink(path) == 0 || access(path, F_OK) != 0;
  int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0)
    return false;
  bool is_written = write(descriptor, content->data, content->size) == (ssize_t)content->size;
  close(descriptor);
  return is_written;
}

bool imager_write(struct imager *imager, size_t moment, enum image_mode mode, uint64_t seed, const char *folder)
{
  if (moment < imager->at || moment > imager->recording->count)
    return false;
  while (imager->at < moment)
    take_in(imager, imager->at++);
  bool is_written = true;
  for (int i = 0; i < imager->recording->files && is_written; i++) {
    const struct file_state *file = &imager->files[i];
    resize(&imager->image, 0);
    put(&imager->image, 0, file->base.data, file->base.size);
    imager->image.exists = file->base.exists;
    apply_pending(imager, file, mode, mix(seed ^ (uint64_t)i));
    is_written = write_file(folder, imager->recording->names[i], &imager->image);
  }
  return is_written;
}

struct imager *imager_new(const struct recording *recording, uint64_t seed)
{
  struct imager *imager = need(calloc(1, sizeof *imager));
  imager->recording = recording;
  imager->seed = seed;
  return imager;
}

void imager_free(struct imager *imager)
{
  for (int i = 0; i < FILES_MAX; i++) {
    free(imager->files[i].base.data);
    free(imager->files[i].pending);
  }
  free(imager->image.data);
  free(imager);
}
