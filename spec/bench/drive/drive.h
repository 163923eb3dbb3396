/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks' driver: starts a program on one core, and from another one sends it webhooks, takes its messages
 * and measures both. What main.c (modes), child.c (the program) and traffic.c (HTTP) share. It serves measurements
 * and trusts whom it talks to: no part of it belongs into a product.
 */
#ifndef DRIVE_H
#define DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

double drive_now(void); /* seconds of the steady clock */
void drive_die(const char *what, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- child.c: the program under measurement ---------------------------------------------------------------------- */

/* Starts `argv` on core `cpu` (-1: any), its standard output going to standard error. */
pid_t drive_spawn(char **argv, int cpu);
void drive_pin(int cpu);
/* Seconds from `started` until something listens on `port`. */
double drive_wait_for_port(pid_t pid, int port, double started);
double drive_cpu_seconds(pid_t pid);                  /* all its threads, user and system */
double drive_cpu_of_all(pid_t pid);                   /* with its children, also those that have ended; 0: 0 */
size_t drive_memory_kb(pid_t pid, const char *field); /* "VmRSS", "VmHWM" */
void drive_stop(pid_t pid);                           /* SIGTERM, and SIGKILL when that does not help */
int drive_free_port(void);

/* ---- traffic.c: webhooks out, messages in ------------------------------------------------------------------------ */

/* Several programs on one store: webhooks go to them in turn. */
enum { DRIVE_HOSTS_MOST = 8 };

struct drive_plan {
  int hosts, ports[DRIVE_HOSTS_MOST]; /* webhooks go to these, with `connections` kept open, shared by them */
  int sink;                           /* a listening socket for the program's messages */
  int connections;
  int in_flight;     /* without a rate: so many events whose message is not out yet */
  double rate;       /* events a second, whatever becomes of them; 0: as fast as `in_flight` allows */
  uint64_t contacts; /* who write, drawn at random */
  double warm_up, seconds;
  uint64_t events; /* for drive_check: how many */
  bool is_killed;  /* for drive_check: as soon as all events are answered */
  pid_t pids[DRIVE_HOSTS_MOST];
  pid_t database; /* the main process of one whose time is measured, too; or 0 */
};

struct drive_result {
  uint64_t accepted;              /* 200 */
  uint64_t refused;               /* any other answer */
  uint64_t once, twice, lost;     /* messages of accepted events */
  uint64_t counted;               /* messages within the measured seconds */
  uint64_t wrong;                 /* drive_check: messages to somebody else, or with another text */
  size_t least_bytes, most_bytes; /* drive_check: of the messages' bodies */
  double cpu, cpu_first;          /* the programs', within them; the first one's */
  double cpu_database;
  double p50, p99, p999; /* seconds from when an event was due to its message */
};

int drive_listen(int *port);
struct drive_result drive_pipeline(const struct drive_plan *plan);
/* Sends `events`, and waits until each is answered and has its message; or until they are answered, and kills the program
 * then, so that only what was stored before the answers is there afterwards. */
struct drive_result drive_check(const struct drive_plan *plan);
/* Takes messages until `last` have come; counts from the one after `first`. Gives seconds and CPU for those. */
bool drive_take(int sink, pid_t pid, uint64_t first, uint64_t last, double *seconds, double *cpu);

#endif
