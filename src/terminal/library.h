/* SPDX-License-Identifier: MIT */
/*
 * libedit, found when it is first asked for: programs that never edit a line do without it, and so do systems that lack it. What
 * is used of <histedit.h> is declared here; these numbers and types are part of the library's binary interface (soname libedit.so.2).
 * https://man.netbsd.org/editline.3
 */
#ifndef CNK_TERMINAL_LIBRARY_H
#define CNK_TERMINAL_LIBRARY_H

#include <stdio.h>
#include <wchar.h>

struct editline;
struct historyW;

struct cnk_libedit_line { /* LineInfoW */
  const wchar_t *buffer, *cursor, *lastchar;
};

struct cnk_libedit_event { /* HistEventW */
  int num;
  const wchar_t *str;
};

enum { /* operations of el_wset */
       CNK_EL_PROMPT = 0,
       CNK_EL_EDITOR = 2,
       CNK_EL_SIGNAL = 3,
       CNK_EL_BIND = 4,
       CNK_EL_ADDFN = 9,
       CNK_EL_HIST = 10,
       CNK_EL_GETCFN = 13,
       CNK_EL_CLIENTDATA = 14,
       CNK_EL_UNBUFFERED = 15,
       CNK_EL_PREP_TERM = 16,
       CNK_EL_REFRESH = 20
};

enum { CNK_CC_NORM = 0, CNK_CC_REFRESH = 4 }; /* what an editor function returns */

enum { CNK_H_SETSIZE = 1, CNK_H_ENTER = 10, CNK_H_SETUNIQUE = 20 }; /* operations of history_w */

struct cnk_libedit {
  struct editline *(*init)(const char *program, FILE *in, FILE *out, FILE *err);
  void (*end)(struct editline *);
  int (*set)(struct editline *, int operation, ...);
  int (*get)(struct editline *, int operation, ...);
  const wchar_t *(*gets)(struct editline *, int *count);
  const struct cnk_libedit_line *(*line)(struct editline *);
  int (*insert)(struct editline *, const wchar_t *);
  void (*resize)(struct editline *);
  struct historyW *(*history_init)(void);
  void (*history_end)(struct historyW *);
  int (*history)(struct historyW *, struct cnk_libedit_event *, int operation, ...);
};

/* NULL where the library is not found, or lacks one of these. Never unloaded. */
const struct cnk_libedit *cnk_libedit_find(void);

#endif
