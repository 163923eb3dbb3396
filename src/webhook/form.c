/* SPDX-License-Identifier: MIT */
/* The answers of forms, which are JSON within a string; see webhook.h. */
#include "webhook/webhook.h"
#include "json/scan.h"

/* The string with the answers; NULL when an item has none. */
static const struct cnk_node *form_of(const struct cnk_webhook_item *item)
{
  if (item->facts.kind != CNK_WEBHOOK_MESSAGE && item->facts.kind != CNK_WEBHOOK_ECHO)
    return NULL;
  if (!cnk_node_says(cnk_node_field(item->node, "type"), "interactive"))
    return NULL;
  const struct cnk_node *content = cnk_node_field(item->node, "interactive");
  if (!cnk_node_says(cnk_node_field(content, "type"), "nfm_reply"))
    return NULL;
  const struct cnk_node *text = cnk_node_field(cnk_node_field(content, "nfm_reply"), "response_json");
  return cnk_node_is(text, CNK_NODE_TEXT) ? text : NULL;
}

/* Counts the values of a form; false when they are more than may be left. */
static bool count(struct cnk_webhook *it, const struct cnk_node *form, size_t *left)
{
  struct cnk_tree tree = {0};
  struct cnk_text text = cnk_webhook_text(it, form);
  char *copy = *left > 0 && text.data ? cnk_webhook_take(it, text.size + 1) : NULL;
  if (!copy)
    return *left > 0;
  if (text.size > 0)
    memcpy(copy, text.data, text.size);
  struct cnk_jsonscan scan = {.text = copy, .length = text.size, .tree = &tree, .most_values = *left};
  cnk_jsonscan_run(&scan);
  cnk_tree_reset(&tree, 0);
  it->has_no_memory |= scan.has_no_memory;
  *left -= scan.values < *left ? scan.values : *left;
  return !scan.has_too_many;
}

bool cnk_webhook_has_large_forms(struct cnk_webhook *it)
{
  size_t left = CNK_WEBHOOK_MOST_VALUES;
  for (size_t i = 0; i < it->count; i++) {
    const struct cnk_node *form = form_of(&it->items[i]);
    if (form && !count(it, form, &left))
      return true;
  }
  return false;
}
