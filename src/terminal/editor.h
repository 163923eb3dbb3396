/* SPDX-License-Identifier: MIT */
/*
 * A line of a terminal that is being edited: a state machine on libedit, which is fed with the bytes that were typed and never waits
 * for more. Whoever reads the terminal is the owner; the editor only writes to it. Several lines of output may come while a line is
 * being typed: `hide` takes it off the terminal, `show` draws it again.
 *
 * One per process, since it changes the terminal. When the process exits with it open, the terminal is put back.
 */
#ifndef CNK_TERMINAL_EDITOR_H
#define CNK_TERMINAL_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"

struct cnk_editor;

enum cnk_editor_event {
  CNK_EDITOR_MORE,     /* what was fed is used up, as far as it can be */
  CNK_EDITOR_LINE,     /* a line was entered; the editor is closed until `show` */
  CNK_EDITOR_END,      /* Ctrl-D on an empty line; closed as well */
  CNK_EDITOR_COMPLETE, /* Tab */
  CNK_EDITOR_NO_MEMORY
};

/* An editor with an empty line and this prompt in UTF-8, which is copied; not shown. NULL when standard input and output are not one
 * terminal that can be drawn on, without libedit, and without memory. */
struct cnk_editor *cnk_editor_new(const char *prompt);

/* Puts the terminal back. NULL is fine. */
void cnk_editor_free(struct cnk_editor *editor);

/* Sets the prompt, from the next `show` on. False without memory. */
bool cnk_editor_set_prompt(struct cnk_editor *editor, const char *prompt);

/* Takes what was typed. False without memory; then nothing is taken. */
bool cnk_editor_feed(struct cnk_editor *editor, const char *bytes, size_t size);

/* Uses what was fed, up to the next event. `text` gets the line, or for `complete` what is before the cursor. */
enum cnk_editor_event cnk_editor_next(struct cnk_editor *editor, struct cnk_buffer *text);

/* Inserts text at the cursor; drawn by the next `show`. */
void cnk_editor_insert(struct cnk_editor *editor, const char *text);

/* Takes the line off the terminal; what is written next begins there. */
void cnk_editor_hide(struct cnk_editor *editor);

/* Draws the line where the cursor is, which must be in the first column; begins one where none is being edited. */
void cnk_editor_show(struct cnk_editor *editor);

/* Puts the terminal back where the process is about to end otherwise than by exit(). May be called by a signal handler. */
void cnk_editor_abandon(void);

/* After the process was stopped (Ctrl-Z) and goes on: the terminal is taken over again, and the line drawn. */
void cnk_editor_resume(struct cnk_editor *editor);

#endif
