/* SPDX-License-Identifier: MIT */
/* Keys of conversations, and forms of one number; see identity.h. */
#include "whatsapp/identity.h"

#include <string.h>

#define BETWEEN ':'
_Static_assert(CNK_CONTACT_BEHIND == BETWEEN + 1, "no key of a number may come between");

static char *append(char *out, struct cnk_text text)
{
  if (text.size > 0) /* memcpy takes no NULL, not even for nothing */
    memcpy(out, text.data, text.size);
  return out + text.size;
}

size_t cnk_contact_key_size(const struct cnk_contact *contact)
{
  return contact->phone_number_id.size + 1 + contact->customer.size;
}

void cnk_contact_write_key(const struct cnk_contact *contact, char *out)
{
  out = append(out, contact->phone_number_id);
  *out++ = BETWEEN;
  append(out, contact->customer);
}

bool cnk_contact_read_key(struct cnk_text key, struct cnk_contact *contact)
{
  const char *colon = key.size > 0 ? memchr(key.data, BETWEEN, key.size) : NULL;
  if (!colon)
    return false;
  size_t before = (size_t)(colon - key.data);
  contact->phone_number_id = (struct cnk_text){key.data, before};
  contact->customer = (struct cnk_text){colon + 1, key.size - before - 1};
  return true;
}

bool cnk_contact_is_meant(struct cnk_text key, struct cnk_text who)
{
  struct cnk_contact contact;
  return cnk_text_is_equal(key, who) ||
         (cnk_contact_read_key(key, &contact) && cnk_text_is_equal(contact.customer, who));
}

bool cnk_identity_is_number(struct cnk_text text, size_t least, size_t most)
{
  if (text.size < least || text.size > most || text.size == 0 || text.data[0] == '0')
    return false;
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] < '0' || text.data[i] > '9')
      return false;
  return true;
}

/* ---- forms of one number ---------------------------------------------------------------------------------------------- */

/* The number with `drop` bytes from `at` on replaced by `put`. */
static struct cnk_text replaced(struct cnk_text number, size_t at, size_t drop, const char *put, char *room)
{
  char *end = append(room, (struct cnk_text){number.data, at});
  end = append(end, (struct cnk_text){put, strlen(put)});
  end = append(end, (struct cnk_text){number.data + at + drop, number.size - at - drop});
  return (struct cnk_text){room, (size_t)(end - room)};
}

/* 55, area code of two digits, and eight digits, which begin with 6 to 9 for mobile numbers: these got a 9 in front. */
static struct cnk_text brazilian(struct cnk_text number, char *room)
{
  bool is_old_mobile = number.size == 12 && number.data[4] >= '6';
  return is_old_mobile ? replaced(number, 4, 0, "9", room) : number;
}

/* 52 and ten digits; calls to mobile numbers once had a 1 between. */
static struct cnk_text mexican(struct cnk_text number, char *room)
{
  return number.size == 13 && number.data[2] == '1' ? replaced(number, 2, 1, "", room) : number;
}

/* Where the 15 is in an Argentine number that was written for national calls: behind an area code of two to four digits,
 * of which 11 is the only one of two, and the only one that begins with 1. 0: nowhere. */
static size_t find_fifteen(struct cnk_text number)
{
  size_t shortest = number.data[2] == '1' ? 4 : 5, longest = number.data[2] == '1' ? 4 : 6;
  for (size_t at = shortest; at <= longest; at++)
    if (number.data[at] == '1' && number.data[at + 1] == '5')
      return at;
  return 0;
}

/* 54 and ten digits, of which 2 to 4 are the area code. A 9 in front of them says that it is a mobile number. */
static struct cnk_text argentine(struct cnk_text number, char *room)
{
  if (number.data[2] < '1' || number.data[2] > '3')
    return number; /* no area code */
  if (number.size == 12)
    return replaced(number, 2, 0, "9", room);
  size_t fifteen = number.size == 14 ? find_fifteen(number) : 0;
  if (fifteen == 0)
    return number;
  char national[CNK_NUMBER_MAX];
  return replaced(replaced(number, fifteen, 2, "", national), 2, 0, "9", room);
}

struct cnk_text cnk_identity_canonical(struct cnk_text number, char room[CNK_NUMBER_MAX])
{
  if (number.size < 12 || number.size > 14 || number.data[0] != '5' || number.data[1] < '2' || number.data[1] > '5')
    return number;
  if (!cnk_identity_is_number(number, 12, 14))
    return number;
  switch (number.data[1]) {
  case '2': return mexican(number, room);
  case '4': return argentine(number, room);
  case '5': return brazilian(number, room);
  default: return number;
  }
}
