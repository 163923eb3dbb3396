/* SPDX-License-Identifier: MIT */
/* The watchdog of turns; see watchdog.h. */
#include "host/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "bind/budget.h"
#include "host/report.h"
#include "host/stop.h"

#ifdef __APPLE__
extern char **environ;
#endif

#define MILLISECOND ((int64_t)1000000)
#define TICK (20 * MILLISECOND)
/* Ticks without anybody to charge, after which it sleeps: it is woken by a system call, which few events shall make. */
enum { TICKS_AWAKE = 50 };
/* How long a turn may go on after it was asked to stop: half of its budget, within these. */
#define GRACE_LEAST (100 * MILLISECOND)
#define GRACE_MOST (1000 * MILLISECOND)
/* Turns that wait keep what they have used; of more than these, those that used least are forgotten. */
enum { ACCOUNTS = 256 };

static struct {
  struct cnk_meter *meter;
  char **arguments;
  char program[PATH_MAX];
  bool is_from_input; /* the script */
  sigset_t signals;   /* the mask of the program */
  clockid_t clock;    /* the loop thread's CPU */
  uv_mutex_t mutex;
  uv_cond_t work;
  struct {
    int64_t account, used;
  } accounts[ACCOUNTS];
} watchdog;

static int64_t now(clockid_t clock)
{
  struct timespec time = {0};
  clock_gettime(clock, &time);
  return (int64_t)time.tv_sec * 1000 * MILLISECOND + time.tv_nsec;
}

static void nap(int64_t nanoseconds)
{
  nanosleep(&(struct timespec){.tv_nsec = nanoseconds}, NULL);
}

/* ---- the note ---------------------------------------------------------------------------------------------------- */

static void sync_folder(const char *path)
{
  char folder[PATH_MAX];
  const char *slash = strrchr(path, '/');
  int length = slash ? (int)(slash - path) : 1;
  snprintf(folder, sizeof folder, "%.*s", slash && length == 0 ? 1 : length, slash ? path : ".");
  int fd = open(folder, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
}

/* A line a turn: reason, event, place and name, with tabs between. Where it cannot be written, the turn is tried again
 * after the start, and stopped again. */
static bool write_note(struct cnk_meter *meter, const char *path)
{
  char line[1024];
  const char *name = atomic_load(&meter->now.name);
  int length =
      snprintf(line, sizeof line, "%s\t%lld\t%s\t%s\n", meter->reason == CNK_STOP_MEMORY ? "memory" : "seconds",
               (long long)atomic_load(&meter->now.event), meter->where, name ? name : "");
  if (length >= (int)sizeof line) {
    length = sizeof line;
    line[length - 1] = '\n';
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  bool is_kept = fd >= 0 && write(fd, line, (size_t)length) == length && fsync(fd) == 0;
  if (fd >= 0)
    close(fd);
  sync_folder(path);
  return is_kept;
}

/* ---- starting anew ----------------------------------------------------------------------------------------------- */

/* What other threads and libraries have open would stay open; addresses and locks are taken again by the next start. */
static void close_on_exec(void)
{
  long most = sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < (most > 65536 || most < 0 ? 65536 : most); fd++) {
    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0)
      fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
  }
}

/* Notes the turn that is charged. On either thread; does not return. */
static void start_anew(struct cnk_meter *meter)
{
  const struct cnk_budget *budget = atomic_load(&meter->now.budget);
  if (atomic_load(&meter->now.account) != 0 && budget && budget->notes && !write_note(meter, budget->notes))
    cnk_report_line("warning", "the stopped turn could not be noted, and will be tried again");
  cnk_report_line("error", "a turn cannot be stopped%s%s: the program %s", meter->where[0] ? " at " : "", meter->where,
                  watchdog.is_from_input ? "ends, because its script came from standard input" : "starts anew");
  if (watchdog.is_from_input)
    _exit(1);
  close_on_exec();
  pthread_sigmask(SIG_SETMASK, &watchdog.signals, NULL);
  execve(watchdog.program, watchdog.arguments, environ);
  cnk_report_line("error", "the program could not start anew: %s", strerror(errno));
  _exit(1);
}

/* ---- watching ---------------------------------------------------------------------------------------------------- */

/* Adds to what an account has used, and gives the sum. */
static int64_t add_used(int64_t account, int64_t more)
{
  int least = 0;
  for (int i = 0; i < ACCOUNTS; i++) {
    if (watchdog.accounts[i].account == account)
      return watchdog.accounts[i].used += more;
    if (watchdog.accounts[i].used < watchdog.accounts[least].used)
      least = i;
  }
  watchdog.accounts[least].account = account;
  return watchdog.accounts[least].used = more;
}

/* The turn did not stop: where is it? The loop thread says so, if a signal reaches it. */
static void give_up(int64_t account)
{
  struct cnk_meter *meter = watchdog.meter;
  cnk_stop_locate(account);
  for (int i = 0; i < 100 && !cnk_stop_is_located(); i++)
    nap(MILLISECOND);
  if (atomic_load(&meter->now.account) != account)
    return;
  cnk_stop_hold();
  start_anew(meter);
}

static void check(int64_t account, int64_t limit, int64_t used)
{
  int64_t grace = limit / 2;
  if (grace < GRACE_LEAST)
    grace = GRACE_LEAST;
  else if (grace > GRACE_MOST)
    grace = GRACE_MOST;
  if (used >= limit + grace && !cnk_stop_is_broken("no_new_start"))
    give_up(account);
  else if (used >= limit)
    cnk_stop_request(account);
}

/* Until somebody is charged. Whoever is charged while it goes to sleep is seen a second later. */
static void sleep_until_woken(struct cnk_meter *meter)
{
  uv_mutex_lock(&watchdog.mutex);
  atomic_store(&meter->is_asleep, true);
  uv_cond_timedwait(&watchdog.work, &watchdog.mutex, 1000 * MILLISECOND);
  atomic_store(&meter->is_asleep, false);
  uv_mutex_unlock(&watchdog.mutex);
}

static void wake(void)
{
  uv_mutex_lock(&watchdog.mutex);
  uv_cond_signal(&watchdog.work);
  uv_mutex_unlock(&watchdog.mutex);
}

static void *watch(void *unused)
{
  (void)unused;
  struct cnk_meter *meter = watchdog.meter;
  int64_t before = now(watchdog.clock);
  for (int idle = 0;; idle++) {
    if (idle == TICKS_AWAKE) {
      sleep_until_woken(meter);
      idle = atomic_load(&meter->now.account) != 0 ? 0 : TICKS_AWAKE - 1;
    }
    nap(TICK);
    int64_t account = atomic_load(&meter->now.account), limit = atomic_load(&meter->now.nanoseconds);
    int64_t after = now(watchdog.clock), used = after - before;
    before = after;
    /* Read again: it may have changed in between. */
    if (account == 0 || limit == 0 || account != atomic_load(&meter->now.account))
      continue;
    idle = 0;
    check(account, limit, add_used(account, used));
  }
  return NULL;
}

static void set_clock(void)
{
#ifdef __APPLE__
  watchdog.clock = CLOCK_PROCESS_CPUTIME_ID; /* it has no clock of one thread */
#else
  if (pthread_getcpuclockid(pthread_self(), &watchdog.clock) != 0)
    watchdog.clock = CLOCK_PROCESS_CPUTIME_ID;
#endif
}

/* On the loop thread. Signals of the program are for that one. */
static void begin(void)
{
  static bool has_begun;
  pthread_t thread;
  sigset_t all;
  if (has_begun)
    return;
  set_clock();
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &watchdog.signals);
  has_begun = pthread_create(&thread, NULL, watch, NULL) == 0;
  pthread_sigmask(SIG_SETMASK, &watchdog.signals, NULL);
  if (has_begun)
    pthread_detach(thread);
  else
    cnk_report_line("warning", "there is no thread to watch over budgets: turns are not stopped");
}

void cnk_watchdog_init(struct cnk_meter *meter, int argc, char **argv)
{
  size_t size = sizeof watchdog.program;
  watchdog.meter = meter;
  watchdog.arguments = argv;
  for (int i = 1; i < argc; i++)
    watchdog.is_from_input = watchdog.is_from_input || strcmp(argv[i], "-") == 0;
  if (uv_exepath(watchdog.program, &size) != 0 || uv_mutex_init(&watchdog.mutex) != 0 ||
      uv_cond_init(&watchdog.work) != 0)
    return;
  meter->begin = begin;
  meter->wake = wake;
  meter->start_anew = start_anew;
}
