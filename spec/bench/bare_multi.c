/* SPDX-License-Identifier: MIT */
/* The least that libcurl can do: POSTs over its multi interface, without our code. spec/bench/http.lua compares with it.
 * Usage: bare_multi REQUESTS IN_FLIGHT URL perform|action; prints requests per second. `action` drives
 * curl_multi_socket_action from epoll, as an event loop has to; `perform` uses curl_multi_perform and curl_multi_poll. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

/* 150 bytes, as all send. */
static const char body[] =
    "{\"mobile\":\"919999999999\",\"type\":\"text\",\"text\":\".................................................."
    "...................................................\"}";
static int epoll_fd, total, started, done;
static long wait_ms = -1;
static CURLM *multi;

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
  char **kept = user;
  (void)one;
  *kept = malloc(size);
  memcpy(*kept, data, size);
  return size;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket)
{
  struct epoll_event event = {.data.fd = fd};
  (void)easy, (void)user, (void)socket;
  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
  if (what == CURL_POLL_REMOVE)
    return epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &event), 0;
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event);
  return 0;
}

static int on_timer(CURLM *curl, long timeout_ms, void *user)
{
  (void)curl, (void)user;
  wait_ms = timeout_ms;
  return 0;
}

static void drain(void)
{
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
    CURL *easy = message->easy_handle;
    char **kept;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &kept);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (message->data.result != CURLE_OK || status != 200)
      exit(1);
    free(*kept);
    curl_multi_remove_handle(multi, easy);
    done++;
    if (started++ < total)
      curl_multi_add_handle(multi, easy);
  }
}

static void act(void)
{
  struct epoll_event events[256];
  int running, count = epoll_wait(epoll_fd, events, 256, (int)wait_ms);
  if (count == 0) {
    wait_ms = -1;
    curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  for (int i = 0; i < count; i++)
    curl_multi_socket_action(multi, events[i].data.fd,
                             (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
                                 (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0),
                             &running);
  drain();
}

static void perform(void)
{
  int running;
  curl_multi_perform(multi, &running);
  drain();
  if (done < total)
    curl_multi_poll(multi, NULL, 0, 1000, NULL);
}

static void start(const char *url, struct curl_slist *headers)
{
  CURL *easy = curl_easy_init();
  char **kept = calloc(1, sizeof(char *));
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, kept);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, kept);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_multi_add_handle(multi, easy);
  started++;
}

int main(int argc, char **argv)
{
  if (argc != 5)
    return 2;
  int is_action = strcmp(argv[4], "action") == 0;
  total = atoi(argv[1]);
  epoll_fd = epoll_create1(0);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  multi = curl_multi_init();
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 256L);
  if (is_action) {
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  }
  struct curl_slist *headers = curl_slist_append(NULL, "API-KEY: 0123456789abcdef");
  headers = curl_slist_append(headers, "Content-Type: application/json");
  headers = curl_slist_append(headers, "Accept: application/json");
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (int i = atoi(argv[2]); i > 0; i--)
    start(argv[3], headers);
  while (done < total)
    is_action ? act() : perform();
  clock_gettime(CLOCK_MONOTONIC, &to);
  printf("%.0f\n", total / ((double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9));
  return 0;
}
