/* SPDX-License-Identifier: MIT */
/*
 * drive MODE [name=value …] -- PROGRAM [ARGUMENT …]: starts the program, measures it, prints one line "name=value …".
 *
 *   start     seconds until it listens, and its memory when idle
 *   first     seconds until its first message, which it sends by itself
 *   serve     runs the command of `load=` (wrk, say) against it; "{port}" in it is replaced
 *   pipeline  webhooks in, messages out; with hosts=4 three more programs share the first one's store, and with database=PID
 *             the processor time of a database is measured as well
 *   check     so many `events` in, and is each answered and its message what it must be? With kill=1 the program is
 *             killed when all are answered.
 *   send      takes messages of a program that only sends; it ends the program after `messages`
 *
 * The program finds in its environment BENCH_PORT, where it should listen, and BENCH_SINK, the URL for its messages.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

struct options {
  double warm, seconds, rate;
  int cpu, load_cpu, connections, in_flight, hosts;
  pid_t database;
  uint64_t contacts, messages, events;
  bool is_killed;
  const char *load;
};

void drive_die(const char *what, ...)
{
  va_list arguments;
  va_start(arguments, what);
  fputs("drive: ", stderr);
  vfprintf(stderr, what, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

static void read_option(struct options *options, const char *argument)
{
  const char *value = strchr(argument, '=');
  if (!value)
    drive_die("'%s' is not name=value", argument);
  size_t size = (size_t)(value++ - argument);
  double number = atof(value);
#define IS(name) (size == sizeof name - 1 && memcmp(argument, name, size) == 0)
  if (IS("warm"))
    options->warm = number;
  else if (IS("seconds"))
    options->seconds = number;
  else if (IS("rate"))
    options->rate = number;
  else if (IS("cpu"))
    options->cpu = (int)number;
  else if (IS("load_cpu"))
    options->load_cpu = (int)number;
  else if (IS("connections"))
    options->connections = (int)number;
  else if (IS("in_flight"))
    options->in_flight = (int)number;
  else if (IS("hosts"))
    options->hosts = (int)number;
  else if (IS("database"))
    options->database = (pid_t)number;
  else if (IS("contacts"))
    options->contacts = (uint64_t)number;
  else if (IS("messages"))
    options->messages = (uint64_t)number;
  else if (IS("events"))
    options->events = (uint64_t)number;
  else if (IS("kill"))
    options->is_killed = number > 0;
  else if (IS("load"))
    options->load = value;
  else
    drive_die("unknown option '%s'", argument);
#undef IS
}

static void print_memory(pid_t pid)
{
  printf(" rss_kb=%zu peak_kb=%zu\n", drive_memory_kb(pid, "VmRSS"), drive_memory_kb(pid, "VmHWM"));
}

static void measure_start(pid_t pid, double seconds)
{
  /* What a start leaves to do is done soon, so that the memory is that of an idle program. */
  nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
  printf("start_ms=%.2f", seconds * 1e3);
  print_memory(pid);
}

static void measure_first(pid_t pid, int sink, double started)
{
  double seconds, cpu;
  if (!drive_take(sink, pid, 0, 1, &seconds, &cpu))
    drive_die("it sends nothing");
  printf("first_ms=%.2f cpu_ms=%.0f", (drive_now() - started) * 1e3, drive_cpu_seconds(pid) * 1e3);
  print_memory(pid);
}

static void measure_serve(const struct options *options, pid_t pid, int port)
{
  char command[2048], *to = command, number[16];
  snprintf(number, sizeof number, "%d", port);
  for (const char *from = options->load ? options->load : ""; *from && to < command + sizeof command - 16;) {
    if (strncmp(from, "{port}", 6) == 0) {
      to = stpcpy(to, number);
      from += 6;
    } else {
      *to++ = *from++;
    }
  }
  *to = '\0';
  double cpu = drive_cpu_seconds(pid);
  fflush(stdout);
  if (system(command) != 0)
    drive_die("failed: %s", command);
  printf("cpu=%.3f", drive_cpu_seconds(pid) - cpu);
  print_memory(pid);
}

static void set(const char *name, const char *form, int port)
{
  char value[64];
  snprintf(value, sizeof value, form, port);
  setenv(name, value, 1);
}

/* Further hosts, each when the one before listens. */
static void start_others(struct drive_plan *plan, int hosts, char **argv, int cpu)
{
  for (; plan->hosts < hosts && plan->hosts < DRIVE_HOSTS_MOST; plan->hosts++) {
    int i = plan->hosts;
    plan->ports[i] = drive_free_port();
    set("BENCH_PORT", "%d", plan->ports[i]);
    plan->pids[i] = drive_spawn(argv, cpu);
    drive_wait_for_port(plan->pids[i], plan->ports[i], drive_now());
  }
}

static void measure_pipeline(const struct options *options, pid_t pid, int port, int sink, char **argv)
{
  struct drive_plan plan = {.hosts = 1,
                            .ports = {port},
                            .sink = sink,
                            .connections = options->connections,
                            .in_flight = options->in_flight,
                            .rate = options->rate,
                            .contacts = options->contacts,
                            .warm_up = options->warm,
                            .seconds = options->seconds,
                            .pids = {pid},
                            .database = options->database};
  start_others(&plan, options->hosts, argv, options->cpu);
  struct drive_result result = drive_pipeline(&plan);
  double events = result.counted ? (double)result.counted : 1;
  printf("rate=%.0f p50_ms=%.3f p99_ms=%.3f p999_ms=%.3f cpu_us=%.2f accepted=%llu refused=%llu lost=%llu twice=%llu",
         (double)result.counted / options->seconds, result.p50 * 1e3, result.p99 * 1e3, result.p999 * 1e3,
         result.cpu / events * 1e6, (unsigned long long)result.accepted, (unsigned long long)result.refused,
         (unsigned long long)result.lost, (unsigned long long)result.twice);
  if (plan.database)
    printf(" database_cpu_us=%.2f", result.cpu_database / events * 1e6);
  if (plan.hosts > 1)
    printf(" first_cpu_us=%.2f", result.cpu_first / events * 1e6);
  print_memory(pid);
  for (int i = 1; i < plan.hosts; i++)
    drive_stop(plan.pids[i]);
}

static void check(const struct options *options, pid_t pid, int port, int sink)
{
  const struct drive_plan plan = {.hosts = 1,
                                  .ports = {port},
                                  .sink = sink,
                                  .connections = options->connections,
                                  .contacts = options->contacts,
                                  .events = options->events,
                                  .is_killed = options->is_killed,
                                  .pids = {pid}};
  struct drive_result result = drive_check(&plan);
  printf("accepted=%llu refused=%llu once=%llu lost=%llu twice=%llu wrong=%llu least_bytes=%zu most_bytes=%zu\n",
         (unsigned long long)result.accepted, (unsigned long long)result.refused, (unsigned long long)result.once,
         (unsigned long long)result.lost, (unsigned long long)result.twice, (unsigned long long)result.wrong,
         result.least_bytes, result.most_bytes);
}

static void measure_send(const struct options *options, pid_t pid, int sink)
{
  uint64_t first = options->messages / 5;
  double seconds, cpu, counted = (double)(options->messages - first);
  if (!drive_take(sink, pid, first, options->messages, &seconds, &cpu))
    drive_die("fewer messages came than should");
  printf("rate=%.0f cpu_us=%.2f", counted / seconds, cpu / counted * 1e6);
  print_memory(pid);
}

int main(int argc, char **argv)
{
  struct options options = {.warm = 1,
                            .seconds = 5,
                            .cpu = -1,
                            .load_cpu = -1,
                            .connections = 64,
                            .in_flight = 64,
                            .contacts = 10000,
                            .events = 200};
  int i = 2;
  for (; i < argc && strcmp(argv[i], "--") != 0; i++)
    read_option(&options, argv[i]);
  if (i + 1 >= argc)
    drive_die("usage: drive start|first|serve|pipeline|check|send [name=value …] -- PROGRAM [ARGUMENT …]");
  const char *mode = argv[1];
  bool is_first = strcmp(mode, "first") == 0, is_sender = strcmp(mode, "send") == 0 || is_first;
  int sink_port, sink = drive_listen(&sink_port), port = drive_free_port();
  set("BENCH_PORT", "%d", port);
  set("BENCH_SINK", "http://127.0.0.1:%d/v1", sink_port);
  drive_pin(options.load_cpu);
  double started = drive_now();
  pid_t pid = drive_spawn(argv + i + 1, options.cpu);
  double seconds = is_sender ? 0 : drive_wait_for_port(pid, port, started);
  if (strcmp(mode, "start") == 0)
    measure_start(pid, seconds);
  else if (strcmp(mode, "serve") == 0)
    measure_serve(&options, pid, port);
  else if (strcmp(mode, "pipeline") == 0)
    measure_pipeline(&options, pid, port, sink, argv + i + 1);
  else if (strcmp(mode, "check") == 0)
    check(&options, pid, port, sink);
  else if (is_first)
    measure_first(pid, sink, started);
  else if (is_sender)
    measure_send(&options, pid, sink);
  drive_stop(pid);
  return 0;
}
