/* SPDX-License-Identifier: MIT */
/*
 * The line editor; see editor.h for the contract. libedit reads characters from a queue of ours, in its unbuffered mode: el_wgets then
 * returns after each key. A key that has come in part stays in the queue, so that libedit never finds the queue empty within one; the
 * functions of its key map that would read more by themselves are taken out of the map.
 *
 * libedit asks the locale how to write and how wide characters are. A locale of our own is set around each call, for this thread, so
 * that nothing else in the process depends on the user's.
 */
#include "terminal/editor.h"

#include <locale.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "terminal/columns.h"
#include "terminal/library.h"

#define ESCAPE 0x1b
#define CTRL_D 0x04

/* Lines that the arrow keys bring back. */
#define HISTORY 500

/* What a terminal sends for a key is shorter; more is no key. */
#define LONGEST_KEY 16

/* A line of a person; a paste beyond it is cut. */
#define LONGEST_LINE 65536

/* Of a terminal that does not say how wide it is. */
#define USUAL_COLUMNS 80

struct cnk_editor {
  const struct cnk_libedit *lib;
  struct editline *line;
  struct historyW *history;
  locale_t locale;
  wchar_t *prompt;
  struct cnk_buffer queue;
  size_t used;  /* bytes of the queue */
  wchar_t last; /* the last character that was read */
  bool is_open; /* a line is being edited, the terminal is raw */
  bool is_hidden, wants_completion;
};

/* ---- the terminal at the end of the process ------------------------------------------------------------------------ */

static struct termios before;
static volatile sig_atomic_t is_raw;

void cnk_editor_abandon(void)
{
  if (is_raw)
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
  is_raw = 0;
}

static void note_terminal(void)
{
  static bool is_registered;
  if (!is_registered)
    is_registered = atexit(cnk_editor_abandon) == 0;
  is_raw = tcgetattr(STDIN_FILENO, &before) == 0;
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */

/* A new wide text; NULL without memory. */
static wchar_t *widen(const char *text)
{
  size_t size = strlen(text), count = 0;
  wchar_t *wide = malloc((size + 1) * sizeof *wide);
  if (!wide)
    return NULL;
  for (size_t at = 0; at < size;) {
    int32_t character = 0;
    utf8proc_ssize_t length =
        utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(size - at), &character);
    wide[count++] = length > 0 ? (wchar_t)character : CNK_UTF8_REPLACEMENT_CODE;
    at += length > 0 ? (size_t)length : 1;
  }
  wide[count] = 0;
  return wide;
}

static bool add_narrow(struct cnk_buffer *text, const wchar_t *from, const wchar_t *to)
{
  for (; from < to; from++) {
    char bytes[4];
    if (!cnk_buffer_add(text, bytes, cnk_utf8_write((long)*from, bytes)))
      return false;
  }
  return true;
}

static size_t columns_of(const wchar_t *from, const wchar_t *to)
{
  size_t columns = 0;
  for (; from < to; from++) {
    int width = utf8proc_charwidth((int32_t)*from);
    columns += width > 0 ? (size_t)width : 0;
  }
  return columns;
}

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

static size_t length_of_character(unsigned char first)
{
  return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* The length of the key at the head of `left` bytes; 0 while it is not all there. */
static size_t length_of_key(const char *key, size_t left)
{
  size_t length;
  if (left == 0)
    return 0;
  if ((unsigned char)key[0] != ESCAPE) {
    length = length_of_character((unsigned char)key[0]);
  } else if (left < 2) {
    return 0;
  } else if (key[1] == '[') {
    for (length = 3; length <= left && length < LONGEST_KEY && !(key[length - 1] >= 0x40 && key[length - 1] <= 0x7e);)
      length++;
  } else {
    length = key[1] == 'O' ? 3 : 1 + length_of_character((unsigned char)key[1]);
  }
  return length <= left ? length : 0;
}

/* Whether a key with an escape sequence is one that libedit has in its map: it would insert the rest of any other. */
static bool is_known(const char *key, size_t length)
{
  if (length < 3 || (key[1] != '[' && key[1] != 'O'))
    return true; /* a character with Alt */
  if (length == 3)
    return strchr("ABCDFH", key[2]) != NULL;
  return length == 4 && key[3] == '~' && key[2] >= '1' && key[2] <= '6';
}

/* Takes a key that means nothing here out of the queue; Ctrl or Alt with an arrow is a word to the left or right. */
static bool translate(struct cnk_editor *editor, char *key, size_t length)
{
  if (key[0] != ESCAPE || is_known(key, length))
    return false;
  char last = key[length - 1];
  editor->used += length;
  if (length > 3 && (last == 'C' || last == 'D')) {
    editor->used -= 2;
    key[length - 2] = ESCAPE;
    key[length - 1] = last == 'C' ? 'f' : 'b';
  }
  return true;
}

/* Whether a whole key is at the head of the queue. */
static bool has_key(struct cnk_editor *editor)
{
  for (;;) {
    char *key = editor->queue.data + editor->used;
    size_t left = editor->queue.size - editor->used, length = left > 0 ? length_of_key(key, left) : 0;
    if (length == 0)
      return false;
    if (!translate(editor, key, length))
      return true;
  }
}

/* For libedit: the next character of the queue; 0 for none, which it takes for the end. */
static int read_character(struct editline *line, wchar_t *character)
{
  struct cnk_editor *editor = NULL;
  int32_t code = 0;
  const struct cnk_libedit *lib = cnk_libedit_find();
  if (lib)
    lib->get(line, CNK_EL_CLIENTDATA, (void **)&editor);
  if (!editor || editor->used >= editor->queue.size)
    return 0;
  utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)editor->queue.data + editor->used,
                                             (utf8proc_ssize_t)(editor->queue.size - editor->used), &code);
  editor->used += length > 0 ? (size_t)length : 1;
  *character = editor->last = length > 0 ? (wchar_t)code : CNK_UTF8_REPLACEMENT_CODE;
  return 1;
}

static unsigned char on_tab(struct editline *line, wint_t character)
{
  (void)character;
  struct cnk_editor *editor = NULL;
  const struct cnk_libedit *lib = cnk_libedit_find();
  if (lib)
    lib->get(line, CNK_EL_CLIENTDATA, (void **)&editor);
  if (editor)
    editor->wants_completion = true;
  return CNK_CC_NORM;
}

static const wchar_t *give_prompt(struct editline *line)
{
  struct cnk_editor *editor = NULL;
  const struct cnk_libedit *lib = cnk_libedit_find();
  if (lib)
    lib->get(line, CNK_EL_CLIENTDATA, (void **)&editor);
  return editor ? editor->prompt : L"";
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

static bool can_draw(void)
{
  const char *terminal = getenv("TERM");
  return terminal && *terminal && strcmp(terminal, "dumb") != 0 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Any locale of UTF-8 will do. */
static locale_t find_locale(void)
{
  static const char *const names[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8", "UTF-8"};
  locale_t locale = (locale_t)0;
  for (size_t i = 0; !locale && i < sizeof names / sizeof names[0]; i++)
    locale = newlocale(LC_CTYPE_MASK, names[i], (locale_t)0);
  return locale;
}

/* The keys beside those of Emacs that libedit knows; and away with what would read on by itself. */
static void bind_keys(const struct cnk_libedit *lib, struct editline *line)
{
  static const wchar_t *const keys[][2] = {
      {L"^I",     L"cunnekt-complete"      },
      {L"^R",     L"em-toggle-overwrite"   },
      {L"^V",     L"em-toggle-overwrite"   },
      {L"^[x",    L"em-toggle-overwrite"   },
      {L"^[X",    L"em-toggle-overwrite"   },
      {L"\\e[A",  L"ed-prev-history"       },
      {L"\\e[B",  L"ed-next-history"       },
      {L"\\e[C",  L"ed-next-char"          },
      {L"\\e[D",  L"ed-prev-char"          },
      {L"\\e[H",  L"ed-move-to-beg"        },
      {L"\\e[F",  L"ed-move-to-end"        },
      {L"\\e[1~", L"ed-move-to-beg"        },
      {L"\\e[4~", L"ed-move-to-end"        },
      {L"\\e[3~", L"ed-delete-next-char"   },
      {L"\\e[2~", L"em-toggle-overwrite"   },
      {L"\\e[5~", L"ed-search-prev-history"},
      {L"\\e[6~", L"ed-search-next-history"},
  };
  lib->set(line, CNK_EL_ADDFN, L"cunnekt-complete", L"Complete what is typed", on_tab);
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    lib->set(line, CNK_EL_BIND, keys[i][0], keys[i][1], NULL);
}

static bool set_up(struct cnk_editor *editor, const char *prompt)
{
  const struct cnk_libedit *lib = editor->lib;
  struct cnk_libedit_event event;
  editor->locale = find_locale();
  editor->prompt = widen(prompt);
  if (!editor->locale || !editor->prompt)
    return false;
  locale_t outside = uselocale(editor->locale);
  editor->line = lib->init("cunnekt", stdin, stdout, stderr);
  editor->history = lib->history_init();
  if (editor->line && editor->history) {
    lib->set(editor->line, CNK_EL_CLIENTDATA, editor);
    lib->set(editor->line, CNK_EL_SIGNAL, 0);
    lib->set(editor->line, CNK_EL_EDITOR, L"emacs");
    lib->set(editor->line, CNK_EL_PROMPT, give_prompt);
    lib->set(editor->line, CNK_EL_GETCFN, read_character);
    lib->history(editor->history, &event, CNK_H_SETSIZE, HISTORY);
    lib->history(editor->history, &event, CNK_H_SETUNIQUE, 1);
    lib->set(editor->line, CNK_EL_HIST, lib->history, editor->history);
    bind_keys(lib, editor->line);
  }
  uselocale(outside);
  return editor->line && editor->history;
}

struct cnk_editor *cnk_editor_new(const char *prompt)
{
  const struct cnk_libedit *lib = can_draw() ? cnk_libedit_find() : NULL;
  struct cnk_editor *editor = lib ? calloc(1, sizeof *editor) : NULL;
  if (!editor)
    return NULL;
  editor->lib = lib;
  note_terminal();
  if (!set_up(editor, prompt)) {
    cnk_editor_free(editor);
    return NULL;
  }
  return editor;
}

static void close_line(struct cnk_editor *editor)
{
  if (editor->is_open)
    editor->lib->set(editor->line, CNK_EL_UNBUFFERED, 0);
  editor->is_open = false;
}

void cnk_editor_free(struct cnk_editor *editor)
{
  if (!editor)
    return;
  locale_t outside = editor->locale ? uselocale(editor->locale) : (locale_t)0;
  if (editor->line) {
    close_line(editor);
    editor->lib->end(editor->line);
  }
  if (editor->history)
    editor->lib->history_end(editor->history);
  if (editor->locale) {
    uselocale(outside);
    freelocale(editor->locale);
  }
  cnk_editor_abandon();
  cnk_buffer_reset(&editor->queue, 0);
  free(editor->prompt);
  free(editor);
}

bool cnk_editor_set_prompt(struct cnk_editor *editor, const char *prompt)
{
  wchar_t *wide = widen(prompt);
  if (!wide)
    return false;
  free(editor->prompt);
  editor->prompt = wide;
  return true;
}

/* ---- typing -------------------------------------------------------------------------------------------------------- */

bool cnk_editor_feed(struct cnk_editor *editor, const char *bytes, size_t size)
{
  if (editor->used > 0) {
    memmove(editor->queue.data, editor->queue.data + editor->used, editor->queue.size - editor->used);
    editor->queue.size -= editor->used;
    editor->used = 0;
  }
  if (editor->queue.size >= LONGEST_LINE)
    return true;
  return cnk_buffer_add(&editor->queue, bytes, size);
}

/* A line was entered, without the line break. */
static enum cnk_editor_event end_line(struct cnk_editor *editor, const wchar_t *line, size_t count,
                                      struct cnk_buffer *text)
{
  struct cnk_libedit_event event;
  bool is_there = add_narrow(text, line, line + count);
  wchar_t *copy = count > 0 ? calloc(count + 1, sizeof *copy) : NULL;
  if (copy) {
    memcpy(copy, line, count * sizeof *copy);
    editor->lib->history(editor->history, &event, CNK_H_ENTER, copy);
    free(copy);
  }
  close_line(editor);
  return is_there ? CNK_EDITOR_LINE : CNK_EDITOR_NO_MEMORY;
}

/* One key. */
static enum cnk_editor_event use_key(struct cnk_editor *editor, struct cnk_buffer *text)
{
  int count = 0;
  editor->last = 0;
  const wchar_t *line = editor->lib->gets(editor->line, &count);
  if (editor->wants_completion) {
    editor->wants_completion = false;
    const struct cnk_libedit_line *now = editor->lib->line(editor->line);
    return add_narrow(text, now->buffer, now->cursor) ? CNK_EDITOR_COMPLETE : CNK_EDITOR_NO_MEMORY;
  }
  if (line && count > 0 && line[count - 1] == L'\n')
    return end_line(editor, line, (size_t)count - 1, text);
  /* Where it would end the input, libedit puts the character into the line, since its own return value says something else. */
  if (editor->last == CTRL_D && line && count > 0 && line[count - 1] == CTRL_D) {
    close_line(editor);
    return CNK_EDITOR_END;
  }
  return CNK_EDITOR_MORE;
}

enum cnk_editor_event cnk_editor_next(struct cnk_editor *editor, struct cnk_buffer *text)
{
  enum cnk_editor_event event = CNK_EDITOR_MORE;
  locale_t outside = uselocale(editor->locale);
  while (event == CNK_EDITOR_MORE && editor->is_open && !editor->is_hidden && has_key(editor))
    event = use_key(editor, text);
  uselocale(outside);
  return event;
}

void cnk_editor_insert(struct cnk_editor *editor, const char *text)
{
  wchar_t *wide = editor->is_open ? widen(text) : NULL;
  if (!wide)
    return;
  locale_t outside = uselocale(editor->locale);
  editor->lib->insert(editor->line, wide);
  uselocale(outside);
  free(wide);
}

/* ---- drawing ------------------------------------------------------------------------------------------------------- */

/* The cursor may be some rows below where the line begins. */
void cnk_editor_hide(struct cnk_editor *editor)
{
  if (!editor->is_open || editor->is_hidden)
    return;
  editor->is_hidden = true;
  const struct cnk_libedit_line *line = editor->lib->line(editor->line);
  size_t width = cnk_columns_of_terminal(STDOUT_FILENO);
  size_t columns = columns_of(editor->prompt, editor->prompt + wcslen(editor->prompt));
  size_t rows = (columns + columns_of(line->buffer, line->cursor)) / (width > 0 ? width : USUAL_COLUMNS);
  fputs("\r", stdout);
  if (rows > 0)
    fprintf(stdout, "\x1b[%zuA", rows);
  fputs("\x1b[J", stdout);
  fflush(stdout);
}

void cnk_editor_resume(struct cnk_editor *editor)
{
  if (!editor->is_open)
    return;
  locale_t outside = uselocale(editor->locale);
  editor->lib->set(editor->line, CNK_EL_PREP_TERM, 0); /* it believes that the terminal is as it left it */
  editor->lib->set(editor->line, CNK_EL_PREP_TERM, 1);
  if (!editor->is_hidden)
    editor->lib->set(editor->line, CNK_EL_REFRESH);
  uselocale(outside);
}

void cnk_editor_show(struct cnk_editor *editor)
{
  if (editor->is_open && !editor->is_hidden)
    return;
  locale_t outside = uselocale(editor->locale);
  fflush(stdout);
  if (editor->is_open) {
    editor->lib->resize(editor->line);
    editor->lib->set(editor->line, CNK_EL_REFRESH);
  } else {
    editor->lib->set(editor->line, CNK_EL_UNBUFFERED, 1);
  }
  editor->is_open = true;
  editor->is_hidden = false;
  uselocale(outside);
}
