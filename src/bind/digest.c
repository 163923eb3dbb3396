/* SPDX-License-Identifier: MIT */
/* The Lua face of base/digest.h: digests, encodings, random bytes and a comparison for secrets. */
#include "bind/bind.h"

#include <stdint.h>

#include "base/digest.h"

#define HASH "cunnekt.hash"

struct hash {
  struct cnk_digest *digest; /* NULL when ended or closed */
};

static int close_hash(lua_State *L)
{
  struct hash *hash = luaL_checkudata(L, 1, HASH);
  cnk_digest_free(hash->digest);
  hash->digest = NULL;
  return 0;
}

static struct hash *check_hash(lua_State *L)
{
  struct hash *hash = luaL_checkudata(L, 1, HASH);
  if (!hash->digest)
    luaL_error(L, "the digest has been taken already");
  return hash;
}

/* core.sha256() -> hash */
static int new_hash(lua_State *L)
{
  struct hash *hash = lua_newuserdatauv(L, sizeof *hash, 0);
  hash->digest = NULL;
  luaL_setmetatable(L, HASH);
  hash->digest = cnk_digest_new();
  return hash->digest ? 1 : luaL_error(L, "cannot make an SHA-256");
}

/* hash:update(data) -> hash */
static int hash_update(lua_State *L)
{
  struct hash *hash = check_hash(L);
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);
  if (!cnk_digest_update(hash->digest, data, size))
    return luaL_error(L, "cannot add to an SHA-256");
  lua_settop(L, 1);
  return 1;
}

/* hash:digest() -> 32 raw bytes; the hash is at its end then. */
static int hash_digest(lua_State *L)
{
  struct hash *hash = check_hash(L);
  unsigned char out[CNK_DIGEST_SIZE];
  bool is_done = cnk_digest_finish(hash->digest, out);
  close_hash(L);
  if (!is_done)
    return luaL_error(L, "cannot end an SHA-256");
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

/* core.sha256_of(data) -> 32 raw bytes */
static int sha256_of(lua_State *L)
{
  size_t size;
  const char *data = luaL_checklstring(L, 1, &size);
  unsigned char out[CNK_DIGEST_SIZE];
  if (!cnk_digest_of(data, size, out))
    return luaL_error(L, "cannot make an SHA-256");
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

/* core.hash_halves(data) -> two integers, see base/digest.h */
static int hash_halves(lua_State *L)
{
  size_t size;
  const char *data = luaL_checklstring(L, 1, &size);
  int64_t halves[2];
  if (!cnk_digest_halves(data, size, halves))
    return luaL_error(L, "cannot make an SHA-256");
  lua_pushinteger(L, halves[0]);
  lua_pushinteger(L, halves[1]);
  return 2;
}

/* core.hmac_sha256(key, data) -> 32 raw bytes */
static int hmac_sha256(lua_State *L)
{
  size_t key_size, size;
  const char *key = luaL_checklstring(L, 1, &key_size);
  const char *data = luaL_checklstring(L, 2, &size);
  unsigned char out[CNK_DIGEST_SIZE];
  if (!cnk_digest_hmac(key, key_size, data, size, out))
    return luaL_error(L, "cannot make an HMAC");
  lua_pushlstring(L, (char *)out, sizeof out);
  return 1;
}

/* core.equal(a, b) -> boolean, in a time that does not tell where they differ. */
static int equal(lua_State *L)
{
  size_t a_size, b_size;
  const char *a = luaL_checklstring(L, 1, &a_size);
  const char *b = luaL_checklstring(L, 2, &b_size);
  lua_pushboolean(L, cnk_digest_equal(a, a_size, b, b_size));
  return 1;
}

/* core.base64_encode(data) -> text */
static int base64_encode(lua_State *L)
{
  size_t size;
  const char *data = luaL_checklstring(L, 1, &size);
  luaL_argcheck(L, size < SIZE_MAX / 2, 1, "too large");
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, cnk_base64_room(size));
  luaL_pushresultsize(&buffer, cnk_base64_encode(data, size, out));
  return 1;
}

/* core.base64_decode(text) -> data, or nil when text is not strict base64. */
static int base64_decode(lua_State *L)
{
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  luaL_Buffer buffer;
  unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &buffer, size / 4 * 3);
  size_t decoded = cnk_base64_decode(text, size, out);
  if (decoded == (size_t)-1) {
    luaL_pushfail(L);
    return 1;
  }
  luaL_pushresultsize(&buffer, decoded);
  return 1;
}

/* core.hex(data) -> lower-case hexadecimal digits */
static int hex(lua_State *L)
{
  size_t size;
  const char *data = luaL_checklstring(L, 1, &size);
  luaL_argcheck(L, size < SIZE_MAX / 2, 1, "too large");
  luaL_Buffer buffer;
  char *out = luaL_buffinitsize(L, &buffer, size * 2);
  cnk_hex_encode(data, size, out);
  luaL_pushresultsize(&buffer, size * 2);
  return 1;
}

/* core.random_bytes(n) -> n bytes, fit for tokens. */
static int random_bytes(lua_State *L)
{
  lua_Integer size = luaL_checkinteger(L, 1);
  luaL_argcheck(L, size >= 0 && size <= 1 << 20, 1, "must be from 0 to 1048576");
  luaL_Buffer buffer;
  unsigned char *out = (unsigned char *)luaL_buffinitsize(L, &buffer, (size_t)size);
  if (!cnk_random_bytes(out, (size_t)size))
    return luaL_error(L, "the system has no random bytes to give");
  luaL_pushresultsize(&buffer, (size_t)size);
  return 1;
}

static const luaL_Reg functions[] = {
    {"sha256",        new_hash     },
    {"sha256_of",     sha256_of    },
    {"hash_halves",   hash_halves  },
    {"hmac_sha256",   hmac_sha256  },
    {"equal",         equal        },
    {"base64_encode", base64_encode},
    {"base64_decode", base64_decode},
    {"hex",           hex          },
    {"random_bytes",  random_bytes },
    {NULL,            NULL         },
};

static const luaL_Reg hash_methods[] = {
    {"update", hash_update},
    {"digest", hash_digest},
    {NULL,     NULL       },
};

void cnk_bind_open_digest(lua_State *L)
{
  cnk_bind_class(L, HASH, hash_methods, close_hash);
  luaL_setfuncs(L, functions, 0);
}
