/* SPDX-License-Identifier: MIT */
/*
 * The usual message, a text, as the JSON that the API takes; and the usual answer to it, with the message's id. Every other message
 * is made by provider/build.lua, and what every other answer means is provider/answer.lua's to say.
 */
#ifndef CNK_MESSAGE_H
#define CNK_MESSAGE_H

#include <stdbool.h>

#include "base/text.h"
#include "json/tree.h"

/* Whether a text can be sent as it is: well-formed UTF-8, with a character that is no blank, of at most `most` characters. */
bool cnk_message_is_text(struct cnk_text text, size_t most);

/* The bytes that cnk_message_write_text() needs at most. */
size_t cnk_message_room(struct cnk_text text, struct cnk_text to);

/* Writes the message to `out`, and gives its size. `to` is a number, `text` one that can be sent. */
size_t cnk_message_write_text(struct cnk_text text, struct cnk_text to, char *out);

/* The id in an answer as Meta gives it to a message that it took: a string that is not empty, in an object in which nothing can
 * report a failure; NULL in any other answer. `body` is the node of the whole text. */
const struct cnk_node *cnk_message_accepted_id(const struct cnk_node *body);

#endif
