/* SPDX-License-Identifier: MIT */
/* Sends texts through bare libcurl: its multi interface on epoll, 64 handles of which only the body changes. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { HANDLES = 64, TEXT = 86 };

struct sender {
  CURL *easy;
  char body[256], answer[1024];
  size_t size;
};

static int poller;
static long timeout_ms = -1;
static unsigned long number;

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *known)
{
  (void)easy;
  struct epoll_event event = {.data.fd = fd};
  event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
  if (what == CURL_POLL_REMOVE)
    return epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL), 0;
  if (epoll_ctl(poller, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0)
    epoll_ctl(poller, EPOLL_CTL_MOD, fd, &event);
  curl_multi_assign(user, fd, &poller);
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *user)
{
  (void)multi, (void)user;
  timeout_ms = ms;
  return 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
  (void)one;
  struct sender *sender = user;
  if (sender->size + size < sizeof sender->answer)
    memcpy(sender->answer + sender->size, data, size);
  sender->size += size;
  return size;
}

static void start(CURLM *multi, struct sender *sender)
{
  char text[TEXT + 1];
  memset(text, 'x', TEXT);
  text[TEXT] = '\0';
  int size = snprintf(sender->body, sizeof sender->body,
                      "{\"mobile\":\"919999999999\",\"type\":\"text\",\"text\":\"#%lu# %s\"}", number++ % 10, text);
  sender->size = 0;
  curl_easy_setopt(sender->easy, CURLOPT_POSTFIELDSIZE, (long)size);
  curl_easy_setopt(sender->easy, CURLOPT_POSTFIELDS, sender->body);
  curl_multi_add_handle(multi, sender->easy);
}

static void make(struct sender *sender, struct curl_slist *headers)
{
  char url[256];
  snprintf(url, sizeof url, "%s/sendreplymessage", getenv("BENCH_SINK"));
  sender->easy = curl_easy_init();
  curl_easy_setopt(sender->easy, CURLOPT_URL, url);
  curl_easy_setopt(sender->easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(sender->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(sender->easy, CURLOPT_WRITEDATA, sender);
  curl_easy_setopt(sender->easy, CURLOPT_PRIVATE, sender);
  curl_easy_setopt(sender->easy, CURLOPT_NOSIGNAL, 1L);
}

int main(void)
{
  static struct sender senders[HANDLES];
  struct curl_slist *headers = NULL;
  const char *lines[] = {"API-KEY: bench", "Content-Type: application/json", "Accept: application/json", "Expect:"};
  for (int i = 0; i < 4; i++)
    headers = curl_slist_append(headers, lines[i]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM *multi = curl_multi_init();
  poller = epoll_create1(0);
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, multi);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 256L);
  for (int i = 0; i < HANDLES; i++) {
    make(&senders[i], headers);
    start(multi, &senders[i]);
  }
  for (;;) {
    struct epoll_event events[HANDLES];
    int running, left, count = epoll_wait(poller, events, HANDLES, timeout_ms < 0 ? 1000 : (int)timeout_ms);
    if (count <= 0)
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running);
    for (int i = 0; i < count; i++)
      curl_multi_socket_action(multi, events[i].data.fd,
                               (events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                                   (events[i].events & ~(unsigned)EPOLLOUT ? CURL_CSELECT_IN : 0),
                               &running);
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left));) {
      CURL *easy = message->easy_handle;
      if (message->data.result != CURLE_OK)
        return 1;
      char *sender;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &sender);
      curl_multi_remove_handle(multi, easy);
      start(multi, (struct sender *)sender);
    }
  }
}
