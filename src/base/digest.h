/* SPDX-License-Identifier: MIT */
/*
 * Digests and the encodings that travel with them, over OpenSSL's libcrypto: SHA-256, HMAC-SHA-256, a comparison
 * for secrets, base64, hexadecimal and random bytes. No state is shared, so any thread may call these.
 */
#ifndef CNK_DIGEST_H
#define CNK_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CNK_DIGEST_SIZE 32

/* An SHA-256 in the making. NULL when memory is short. */
struct cnk_digest;
struct cnk_digest *cnk_digest_new(void);
void cnk_digest_free(struct cnk_digest *digest);
bool cnk_digest_update(struct cnk_digest *digest, const void *data, size_t size);
/* Ends it: only cnk_digest_free may follow. */
bool cnk_digest_finish(struct cnk_digest *digest, unsigned char out[CNK_DIGEST_SIZE]);

/* The SHA-256 of bytes that are all there. */
bool cnk_digest_of(const void *data, size_t size, unsigned char out[CNK_DIGEST_SIZE]);

/* The first 16 bytes of the SHA-256 as two integers, little-endian. The store keys long random names by the first and tells
 * equal keys apart by the second; databases hold them, so they never change. */
bool cnk_digest_halves(const void *data, size_t size, int64_t halves[2]);

bool cnk_digest_hmac(const void *key, size_t key_size, const void *data, size_t size,
                     unsigned char out[CNK_DIGEST_SIZE]);

/* Takes a time that depends on the sizes only, not on how much is equal. Both sides may have any size: what is
 * compared are digests under a key of this process, so not even an equal prefix can be felt. False when memory is
 * short. */
bool cnk_digest_equal(const void *a, size_t a_size, const void *b, size_t b_size);

/* Room for the text of `size` bytes, without a terminator. */
size_t cnk_base64_room(size_t size);
size_t cnk_base64_encode(const void *data, size_t size, char *out);

/* Strict: padding is required, no other character is passed over, and bits that carry nothing are zero. Writes at
 * most size / 4 * 3 bytes. Returns how many, or (size_t)-1 when `text` is not base64. */
size_t cnk_base64_decode(const char *text, size_t size, unsigned char *out);

/* Writes 2 * size lower-case digits, without a terminator. */
void cnk_hex_encode(const void *data, size_t size, char *out);

/* Fit for keys and tokens. False when the system has none to give. */
bool cnk_random_bytes(unsigned char *out, size_t size);

#endif
