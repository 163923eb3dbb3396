/* SPDX-License-Identifier: MIT */
/* Keys of conversations; see identity.h. */
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

static bool is_equal(struct cnk_text a, struct cnk_text b)
{
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
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
  return is_equal(key, who) || (cnk_contact_read_key(key, &contact) && is_equal(contact.customer, who));
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
