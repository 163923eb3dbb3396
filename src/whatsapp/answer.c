/* SPDX-License-Identifier: MIT */
/* A plain answer; see answer.h for the contract. */
#include "whatsapp/answer.h"

/* Members that may report a failure, or hold the answer of somebody else than Meta. */
static bool has_more(const struct cnk_node *body)
{
  static const char *const names[] = {"error", "errors", "status", "success", "data"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (cnk_node_field(body, names[i]))
      return true;
  return false;
}

const struct cnk_node *cnk_answer_plain_id(const struct cnk_node *body)
{
  const struct cnk_node *messages = cnk_node_field(body, "messages");
  if (!cnk_node_is(messages, CNK_NODE_LIST) || messages->count == 0 || has_more(body))
    return NULL;
  const struct cnk_node *id = cnk_node_field(messages + 1, "id");
  return cnk_node_is(id, CNK_NODE_TEXT) && id->size > 0 ? id : NULL;
}
