/* SPDX-License-Identifier: MIT */
/* What an operator asks about the machine; see system.h. */
#include "base/system.h"

#include <curl/curl.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>
#include <uv.h>

int cnk_system_folder(char *out, size_t size)
{
  return uv_cwd(out, &size);
}

int cnk_system_stat(const char *path, struct cnk_system_file *out)
{
  uv_fs_t request;
  int status = uv_fs_stat(NULL, &request, path, NULL);
  if (status == 0) {
    mode_t mode = (mode_t)request.statbuf.st_mode;
    out->size = request.statbuf.st_size;
    out->mode = mode & 07777;
    out->owner = (unsigned)request.statbuf.st_uid;
    out->kind = S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : S_ISSOCK(mode) ? "socket" : "other";
  }
  uv_fs_req_cleanup(&request);
  return status;
}

int cnk_system_inode(const char *path, uint64_t *out)
{
  uv_fs_t request;
  int status = uv_fs_stat(NULL, &request, path, NULL);
  if (status == 0)
    *out = request.statbuf.st_ino;
  uv_fs_req_cleanup(&request);
  return status;
}

int cnk_system_may_write(const char *path)
{
  uv_fs_t request;
  int status = uv_fs_access(NULL, &request, path, W_OK, NULL);
  uv_fs_req_cleanup(&request);
  return status;
}

int cnk_system_disk_free(const char *path, uint64_t *out)
{
  uv_fs_t request;
  int status = uv_fs_statfs(NULL, &request, path, NULL);
  if (status == 0) {
    const uv_statfs_t *found = request.ptr;
    *out = found->f_bavail * found->f_bsize;
  }
  uv_fs_req_cleanup(&request);
  return status;
}

int cnk_system_names(const char *path, char *out, size_t size, size_t *needed)
{
  uv_fs_t request;
  uv_dirent_t entry;
  int status = uv_fs_scandir(NULL, &request, path, 0, NULL);
  *needed = 0;
  while (status >= 0 && uv_fs_scandir_next(&request, &entry) == 0) {
    size_t length = strlen(entry.name) + 1;
    if (*needed + length <= size)
      memcpy(out + *needed, entry.name, length);
    *needed += length;
  }
  uv_fs_req_cleanup(&request);
  return status < 0 ? status : 0;
}

bool cnk_system_is_terminal(int descriptor)
{
  return uv_guess_handle(descriptor) == UV_TTY;
}

int cnk_system_memory(uint64_t *out)
{
  size_t bytes = 0;
  int status = uv_resident_set_memory(&bytes);
  *out = bytes;
  return status;
}

const char *cnk_system_error(int status)
{
  return uv_strerror(status);
}

const char *cnk_system_library(int index, const char **version)
{
  switch (index) {
  case 0: *version = uv_version_string(); return "libuv";
  case 1: *version = curl_version_info(CURLVERSION_NOW)->version; return "libcurl";
  case 2: *version = MHD_get_version(); return "libmicrohttpd";
  case 3: *version = OpenSSL_version(OPENSSL_VERSION); return "libcrypto";
  case 4: *version = utf8proc_version(); return "libutf8proc";
  }
  return NULL;
}

int cnk_system_pid(void)
{
  return uv_os_getpid();
}

unsigned cnk_system_user(void)
{
  return (unsigned)geteuid();
}
