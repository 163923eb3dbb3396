/* SPDX-License-Identifier: MIT */
/*
 * forward PORT SOCKET: carries connections to a port of the loopback on to a Unix socket, until it is killed. Stopped (SIGSTOP) it is
 * a network on which nothing arrives any more, while both ends still hold their connections for good ones.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS_MOST = 32 };

/* pollfds: the listener, then two for each pair: the client's end and the server's. */
static struct pollfd ends[1 + 2 * PAIRS_MOST];

static int connect_to(const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

static int listen_on(int port)
{
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, PAIRS_MOST) == 0 ? fd : -1;
}

static void take(const char *path)
{
  int client = accept(ends[0].fd, NULL, NULL), server = client < 0 ? -1 : connect_to(path);
  for (int i = 1; server >= 0 && i < 2 * PAIRS_MOST; i += 2)
    if (ends[i].fd < 0) {
      ends[i] = (struct pollfd){.fd = client, .events = POLLIN};
      ends[i + 1] = (struct pollfd){.fd = server, .events = POLLIN};
      return;
    }
  if (client >= 0)
    close(client);
  if (server >= 0)
    close(server);
}

/* False: the pair is over. A write waits for whoever reads too slowly. */
static bool carry(int from, int to)
{
  static char bytes[65536];
  ssize_t size = read(from, bytes, sizeof bytes);
  for (ssize_t at = 0; at < size;) {
    ssize_t written = write(to, bytes + at, (size_t)(size - at));
    if (written <= 0)
      return false;
    at += written;
  }
  return size > 0;
}

int main(int count, char **words)
{
  if (count != 3)
    return 2;
  signal(SIGPIPE, SIG_IGN);
  for (int i = 0; i < 1 + 2 * PAIRS_MOST; i++)
    ends[i].fd = -1;
  ends[0] = (struct pollfd){.fd = listen_on(atoi(words[1])), .events = POLLIN};
  if (ends[0].fd < 0)
    return 1;
  puts("ready");
  fflush(stdout);
  while (poll(ends, 1 + 2 * PAIRS_MOST, -1) >= 0) {
    if (ends[0].revents)
      take(words[2]);
    for (int i = 1; i < 1 + 2 * PAIRS_MOST; i++) {
      int other = i % 2 ? i + 1 : i - 1;
      if (ends[i].fd < 0 || !ends[i].revents || carry(ends[i].fd, ends[other].fd))
        continue;
      close(ends[i].fd);
      close(ends[other].fd);
      ends[i].fd = ends[other].fd = -1;
    }
  }
  return 1;
}
