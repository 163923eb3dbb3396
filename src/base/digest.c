/* SPDX-License-Identifier: MIT */
/* Digests and encodings; see digest.h. Base64 is our own: OpenSSL's decoder ignores white space and
 * accepts bits that carry nothing, so that two texts would stand for the same bytes. */
#include "base/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* The struct is an EVP context under another name: the header needs no OpenSSL then. */
#define CONTEXT(digest) ((EVP_MD_CTX *)(void *)(digest))

/* Looking an algorithm up costs more than hashing a webhook with it: done once, and left to the end of the process.
 * Where memory was short it is tried again. */
static EVP_MD *sha256;
static EVP_MAC *hmac;
static unsigned char compare_key[CNK_DIGEST_SIZE];
static atomic_bool is_ready;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static bool fetch(void)
{
  if (atomic_load(&is_ready))
    return true;
  pthread_mutex_lock(&mutex);
  if (!sha256)
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  if (!hmac)
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
  if (!atomic_load(&is_ready) && sha256 && hmac && RAND_bytes(compare_key, sizeof compare_key) == 1)
    atomic_store(&is_ready, true);
  pthread_mutex_unlock(&mutex);
  return atomic_load(&is_ready);
}

struct cnk_digest *cnk_digest_new(void)
{
  EVP_MD_CTX *context = fetch() ? EVP_MD_CTX_new() : NULL;
  if (context && EVP_DigestInit_ex2(context, sha256, NULL) != 1) {
    EVP_MD_CTX_free(context);
    context = NULL;
  }
  return (struct cnk_digest *)(void *)context;
}

void cnk_digest_free(struct cnk_digest *digest)
{
  EVP_MD_CTX_free(CONTEXT(digest));
}

bool cnk_digest_update(struct cnk_digest *digest, const void *data, size_t size)
{
  return EVP_DigestUpdate(CONTEXT(digest), data, size) == 1;
}

bool cnk_digest_finish(struct cnk_digest *digest, unsigned char out[CNK_DIGEST_SIZE])
{
  unsigned int size = 0;
  return EVP_DigestFinal_ex(CONTEXT(digest), out, &size) == 1 && size == CNK_DIGEST_SIZE;
}

/* Making a context costs as much as hashing a key: each thread keeps one, until it ends. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t kept_key;
static bool has_key;

static void free_kept(void *context)
{
  EVP_MD_CTX_free(context);
}

static void make_key(void)
{
  has_key = pthread_key_create(&kept_key, free_kept) == 0;
}

static EVP_MD_CTX *take_kept(void)
{
  pthread_once(&once, make_key);
  EVP_MD_CTX *context = has_key ? pthread_getspecific(kept_key) : NULL;
  if (context || !has_key)
    return context;
  context = EVP_MD_CTX_new();
  if (context && pthread_setspecific(kept_key, context) != 0) {
    EVP_MD_CTX_free(context);
    return NULL;
  }
  return context;
}

bool cnk_digest_of(const void *data, size_t size, unsigned char out[CNK_DIGEST_SIZE])
{
  unsigned int written = 0;
  EVP_MD_CTX *context = fetch() ? take_kept() : NULL;
  return context && EVP_DigestInit_ex2(context, sha256, NULL) == 1 && EVP_DigestUpdate(context, data, size) == 1 &&
         EVP_DigestFinal_ex(context, out, &written) == 1 && written == CNK_DIGEST_SIZE;
}

bool cnk_digest_halves(const void *data, size_t size, int64_t halves[2])
{
  unsigned char out[CNK_DIGEST_SIZE];
  if (!cnk_digest_of(data, size, out))
    return false;
  for (int half = 0; half < 2; half++) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
      value = value << 8 | out[half * 8 + i];
    halves[half] = (int64_t)value;
  }
  return true;
}

bool cnk_digest_hmac(const void *key, size_t key_size, const void *data, size_t size,
                     unsigned char out[CNK_DIGEST_SIZE])
{
  EVP_MAC_CTX *context = fetch() ? EVP_MAC_CTX_new(hmac) : NULL;
  if (!context)
    return false;
  char name[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0), OSSL_PARAM_construct_end()};
  size_t written = 0;
  /* A NULL key means "the key of before", so an empty one still needs an address. */
  bool is_done = EVP_MAC_init(context, key ? key : "", key_size, params) == 1 &&
                 EVP_MAC_update(context, data, size) == 1 &&
                 EVP_MAC_final(context, out, &written, CNK_DIGEST_SIZE) == 1 && written == CNK_DIGEST_SIZE;
  EVP_MAC_CTX_free(context);
  return is_done;
}

bool cnk_digest_equal(const void *a, size_t a_size, const void *b, size_t b_size)
{
  unsigned char digest_a[CNK_DIGEST_SIZE], digest_b[CNK_DIGEST_SIZE];
  return fetch() && cnk_digest_hmac(compare_key, sizeof compare_key, a, a_size, digest_a) &&
         cnk_digest_hmac(compare_key, sizeof compare_key, b, b_size, digest_b) &&
         CRYPTO_memcmp(digest_a, digest_b, sizeof digest_a) == 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t cnk_base64_room(size_t size)
{
  return (size / 3 + (size % 3 != 0)) * 4;
}

size_t cnk_base64_encode(const void *data, size_t size, char *out)
{
  const unsigned char *in = data;
  char *at = out;
  for (; size >= 3; size -= 3, in += 3) {
    *at++ = base64_digits[in[0] >> 2];
    *at++ = base64_digits[(in[0] & 3) << 4 | in[1] >> 4];
    *at++ = base64_digits[(in[1] & 15) << 2 | in[2] >> 6];
    *at++ = base64_digits[in[2] & 63];
  }
  if (size > 0) {
    unsigned char second = size == 2 ? in[1] : 0;
    *at++ = base64_digits[in[0] >> 2];
    *at++ = base64_digits[(in[0] & 3) << 4 | second >> 4];
    *at++ = size == 2 ? base64_digits[(second & 15) << 2] : '=';
    *at++ = '=';
  }
  return (size_t)(at - out);
}

static int base64_value(char c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t cnk_base64_decode(const char *text, size_t size, unsigned char *out)
{
  unsigned char *at = out;
  if (size % 4 != 0)
    return (size_t)-1;
  for (size_t i = 0; i < size; i += 4) {
    bool is_last = i + 4 == size;
    int padding = !is_last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
    unsigned bits = 0;
    for (size_t k = 0; k < 4; k++) {
      int value = k >= 4 - (size_t)padding ? 0 : base64_value(text[i + k]);
      if (value < 0)
        return (size_t)-1;
      bits = bits << 6 | (unsigned)value;
    }
    if ((padding == 2 && (bits & 0xffff) != 0) || (padding == 1 && (bits & 0xff) != 0))
      return (size_t)-1;
    *at++ = (unsigned char)(bits >> 16);
    if (padding < 2)
      *at++ = (unsigned char)(bits >> 8);
    if (padding < 1)
      *at++ = (unsigned char)bits;
  }
  return (size_t)(at - out);
}

void cnk_hex_encode(const void *data, size_t size, char *out)
{
  static const char digits[] = "0123456789abcdef";
  const unsigned char *in = data;
  for (size_t i = 0; i < size; i++) {
    *out++ = digits[in[i] >> 4];
    *out++ = digits[in[i] & 15];
  }
}

bool cnk_random_bytes(unsigned char *out, size_t size)
{
  while (size > 0) {
    int part = size > INT_MAX ? INT_MAX : (int)size;
    if (RAND_bytes(out, part) != 1)
      return false;
    out += part;
    size -= (size_t)part;
  }
  return true;
}
