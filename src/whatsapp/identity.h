/* SPDX-License-Identifier: MIT */
/*
 * Who talks with whom: the key of a conversation, which the code calls its contact. It is
 *
 *   <phone_number_id>:<customer>
 *
 * with the provider's id of the business number that was written to, and the customer's number or user id, each as the
 * provider gives it; what is not known is empty. Keys are stored, and are the names of lanes: their form is fixed.
 *
 * A phone_number_id has no colon in it, a customer may: the first colon of a key is the one between them. Pure functions
 * over borrowed texts.
 */
#ifndef CNK_IDENTITY_H
#define CNK_IDENTITY_H

#include <stdbool.h>

#include "base/text.h"

struct cnk_contact {
  struct cnk_text phone_number_id, customer;
};

/* The bytes of a contact's key, without a NUL; and the key itself, written to room for so many. */
size_t cnk_contact_key_size(const struct cnk_contact *contact);
void cnk_contact_write_key(const struct cnk_contact *contact, char *out);

/* Takes a key apart, into texts that point into it. False when it is none, for it has no colon. */
bool cnk_contact_read_key(struct cnk_text key, struct cnk_contact *contact);

/* Whether `who`, which is a key or a customer alone, means the conversation of this key. */
bool cnk_contact_is_meant(struct cnk_text key, struct cnk_text who);

/* Whether a text is a whole number as webhooks write it: `least` to `most` digits, of which the first is not 0. */
bool cnk_identity_is_number(struct cnk_text text, size_t least, size_t most);

/* The bytes of the longest telephone number, and what `cnk_identity_canonical` writes at most: ITU-T E.164 allows 15 digits. */
#define CNK_NUMBER_MAX 15

/*
 * One number has two forms in three countries, and a webhook may give either: mobile numbers of Brazil with and without the
 * ninth digit (55 AA 9 NNNN NNNN), numbers of Mexico with and without the 1 behind 52, numbers of Argentina with the 9 behind
 * 54, without it, or with the 15 of national calls behind the area code. This gives the form for comparing: two texts are
 * forms of one number when theirs are equal. It is not the form to send to.
 *
 * `number` is borrowed; the result is `number` itself where it has no other form, as all numbers of other countries and all
 * texts that are none, and lies in `room` otherwise. Canonical of a canonical form is that form. Digits only: no "+".
 */
struct cnk_text cnk_identity_canonical(struct cnk_text number, char room[CNK_NUMBER_MAX]);

/* The character that makes, of a phone_number_id, the first text behind all of its keys in the order of bytes: it comes
 * next after the colon. For passing from one number to the next in a sorted list. */
#define CNK_CONTACT_BEHIND ';'

#endif
