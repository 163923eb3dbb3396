/* SPDX-License-Identifier: MIT */
/* The program under measurement: its start, its core, what it uses, and its end. See drive.h. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

/* Seconds to begin to listen in, and to end in. */
enum { LONGEST_START = 60, LONGEST_END = 30 };

void drive_pin(int cpu)
{
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (cpu >= 0 && sched_setaffinity(0, sizeof set, &set) != 0)
    drive_die("core %d: %s", cpu, strerror(errno));
}

pid_t drive_spawn(char **argv, int cpu)
{
  pid_t pid = fork();
  if (pid < 0)
    drive_die("fork: %s", strerror(errno));
  if (pid > 0)
    return pid;
  drive_pin(cpu);
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* a measurement that fails leaves nothing running */
  dup2(STDERR_FILENO, STDOUT_FILENO);
  execvp(argv[0], argv);
  drive_die("%s: %s", argv[0], strerror(errno));
}

static struct sockaddr_in loopback(int port)
{
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

double drive_wait_for_port(pid_t pid, int port, double started)
{
  struct sockaddr_in address = loopback(port);
  for (;;) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    double took = drive_now() - started;
    close(fd);
    if (is_there)
      return took;
    if (waitpid(pid, NULL, WNOHANG) == pid)
      drive_die("the program ended before it listened");
    if (took > LONGEST_START)
      drive_die("the program does not listen on port %d", port);
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
  }
}

/* What /proc says of a process: its parent, its own ticks, and those of its children that have ended. */
static bool read_stat(pid_t pid, int *parent, unsigned long *own, unsigned long *ended)
{
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file)
    fclose(file);
  text[size] = '\0';
  const char *after_name = strrchr(text, ')');
  unsigned long user, system, ended_user, ended_system;
  if (!after_name || sscanf(after_name + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu", parent,
                            &user, &system, &ended_user, &ended_system) != 5)
    return false;
  *own = user + system;
  *ended = ended_user + ended_system;
  return true;
}

double drive_cpu_seconds(pid_t pid)
{
  int parent;
  unsigned long own, ended;
  if (!read_stat(pid, &parent, &own, &ended))
    drive_die("no figures of process %d", (int)pid);
  return (double)own / (double)sysconf(_SC_CLK_TCK);
}

double drive_cpu_of_all(pid_t pid)
{
  unsigned long sum = 0, own, ended;
  int parent;
  DIR *all = pid ? opendir("/proc") : NULL;
  for (struct dirent *entry; all && (entry = readdir(all));) {
    pid_t one = (pid_t)atoi(entry->d_name);
    if (one > 0 && read_stat(one, &parent, &own, &ended) && (one == pid || parent == pid))
      sum += own + (one == pid ? ended : 0);
  }
  if (all)
    closedir(all);
  return (double)sum / (double)sysconf(_SC_CLK_TCK);
}

size_t drive_memory_kb(pid_t pid, const char *field)
{
  char path[64], line[256];
  size_t kb = 0, length = strlen(field);
  snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file))
    if (strncmp(line, field, length) == 0 && line[length] == ':')
      kb = (size_t)strtoull(line + length + 1, NULL, 10);
  if (file)
    fclose(file);
  return kb;
}

void drive_stop(pid_t pid)
{
  double began = drive_now();
  kill(pid, SIGTERM);
  while (waitpid(pid, NULL, WNOHANG) == 0) {
    if (drive_now() - began > LONGEST_END)
      kill(pid, SIGKILL);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
}

int drive_listen(int *port)
{
  struct sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 1024) != 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) != 0)
    drive_die("cannot listen: %s", strerror(errno));
  *port = ntohs(address.sin_port);
  return fd;
}

int drive_free_port(void)
{
  int port, fd = drive_listen(&port);
  close(fd);
  return port;
}
