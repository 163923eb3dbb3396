/* SPDX-License-Identifier: MIT */
/*
 * The answer of the API to a message, where it is as Meta gives it to one that was taken: an object with the message's id, in
 * which nothing can report a failure. What any other answer means is provider/answer.lua's to say.
 */
#ifndef CNK_ANSWER_H
#define CNK_ANSWER_H

#include "json/tree.h"

/* The id in such an answer, a string that is not empty; NULL in any other one. `body` is the node of the whole text. */
const struct cnk_node *cnk_answer_plain_id(const struct cnk_node *body);

#endif
