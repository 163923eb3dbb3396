/* SPDX-License-Identifier: MIT */
/* Fields of JSON as texts and times, without trust in what is there; see webhook.h. */
#include <inttypes.h>
#include <stdio.h>

#include "webhook/webhook.h"
#include "json/number.h"

struct cnk_text cnk_webhook_text(struct cnk_webhook *it, const struct cnk_node *node)
{
  if (!cnk_node_is(node, CNK_NODE_TEXT))
    return (struct cnk_text){0};
  if (node->is_plain)
    return (struct cnk_text){node->text, node->size};
  char *data = cnk_webhook_take(it, cnk_node_room(node));
  if (!data)
    return (struct cnk_text){0};
  return (struct cnk_text){data, cnk_node_decode(node, data)};
}

static struct cnk_text digits_of(struct cnk_webhook *it, int64_t whole)
{
  enum { ROOM = 24 };
  char *data = cnk_webhook_take(it, ROOM);
  if (!data)
    return (struct cnk_text){0};
  return (struct cnk_text){data, (size_t)snprintf(data, ROOM, "%" PRId64, whole)};
}

struct cnk_text cnk_webhook_id(struct cnk_webhook *it, const struct cnk_node *node)
{
  int64_t whole;
  if (cnk_node_is(node, CNK_NODE_TEXT) && node->size > 0)
    return cnk_webhook_text(it, node);
  return cnk_node_whole(node, &whole) ? digits_of(it, whole) : (struct cnk_text){0};
}

/* Beyond this, which is the year 5138 in seconds, a time counts milliseconds or less: those of 1973 and later. */
#define MOST_SECONDS 100000000000

/* Digits of a time at most, and the bytes that so many may be written with, each as an escape. */
enum { MOST_DIGITS = 18, MOST_BYTES = 6 * MOST_DIGITS };

/* The whole number that a string of digits says. */
static bool read_digits(struct cnk_text text, int64_t *value)
{
  *value = 0;
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] < '0' || text.data[i] > '9' || text.size > MOST_DIGITS)
      return false;
    *value = *value * 10 + (text.data[i] - '0');
  }
  return text.size > 0;
}

static bool read_time(struct cnk_webhook *it, const struct cnk_node *node, int64_t *seconds)
{
  if (cnk_node_is(node, CNK_NODE_TEXT))
    return node->size <= MOST_BYTES && read_digits(cnk_webhook_text(it, node), seconds);
  return cnk_node_whole(node, seconds);
}

bool cnk_webhook_time(struct cnk_webhook *it, const struct cnk_node *node, int64_t *seconds)
{
  if (!read_time(it, node, seconds))
    return false;
  while (*seconds >= MOST_SECONDS)
    *seconds /= 1000;
  return true;
}
