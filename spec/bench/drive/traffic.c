/* SPDX-License-Identifier: MIT */
/*
 * Webhooks out and messages in, on one epoll loop: each event carries its number in its text, which the program says
 * in its message, so that time and count of every one are known. See drive.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "drive.h"

/* The size of the webhook that the figures of others were measured with. */
enum { BODY_SIZE = 473, BUFFER = 16384, MOST_EVENTS = 256 };
/* Seconds for which messages are waited for after the last event. */
#define LAST_WAIT 10.0

enum role { LISTENING, HOOK, MESSAGES };

struct peer {
  enum role role;
  int fd;
  size_t have;
  uint64_t event;    /* HOOK: what it has under way */
  int host;          /* HOOK: whom it leads to */
  struct peer *next; /* HOOK: free ones */
  char in[BUFFER];
};

struct event {
  double due;
  uint64_t contact;
  uint8_t is_answered, is_accepted, messages;
};

struct traffic {
  const struct drive_plan *plan;
  int epoll;
  struct peer *free_hooks[DRIVE_HOSTS_MOST];
  int next_host;
  struct event *events;
  uint64_t count, room, open; /* open: events that lack their answer or their message */
  uint64_t answered;
  uint64_t random, taken;
  double *latencies; /* of measured messages whose events were due within the measured seconds */
  uint64_t counted, timed, latency_room;
  uint64_t wrong;                 /* messages to somebody else, or with another text */
  size_t least_bytes, most_bytes; /* of the messages' bodies */
  double measure_from, measure_to;
  char prefix[32];
};

double drive_now(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *checked(void *memory)
{
  if (!memory)
    drive_die("not enough memory");
  return memory;
}

static void add(struct traffic *traffic, struct peer *peer)
{
  struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
  int on = 1;
  if (peer->role != LISTENING)
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (epoll_ctl(traffic->epoll, EPOLL_CTL_ADD, peer->fd, &interest) != 0)
    drive_die("epoll: %s", strerror(errno));
}

static struct peer *new_peer(struct traffic *traffic, enum role role, int fd)
{
  struct peer *peer = checked(calloc(1, sizeof *peer));
  peer->role = role;
  peer->fd = fd;
  add(traffic, peer);
  return peer;
}

static void write_all(int fd, const char *data, size_t size)
{
  /* A few hundred bytes into a socket that has nothing waiting: they fit. */
  if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
    drive_die("a connection does not take what it should: %s", strerror(errno));
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------- */

static uint64_t draw(struct traffic *traffic)
{
  traffic->random ^= traffic->random << 13;
  traffic->random ^= traffic->random >> 7;
  traffic->random ^= traffic->random << 17;
  return traffic->random;
}

/* What a message must say of an event, from its beginning to its number. */
static int write_said(char *to, size_t size, uint64_t number)
{
  return snprintf(to, size, "Thank you for your order #%010llu# ", (unsigned long long)number);
}

static size_t write_body(char *to, uint64_t number, uint64_t contact, const char *run)
{
  int size = snprintf(
      to, BODY_SIZE + 1,
      "{\"object\":\"whatsapp_business_account\",\"entry\":[{\"id\":\"102290129340398\",\"changes\":[{\"value\":{"
      "\"messaging_product\":\"whatsapp\",\"metadata\":{\"display_phone_number\":\"15550783881\","
      "\"phone_number_id\":\"106540352242922\"},\"contacts\":[{\"profile\":{\"name\":\"Asha Rao\"},"
      "\"wa_id\":\"91%010llu\"}],\"messages\":[{\"from\":\"91%010llu\",\"id\":\"wamid.%s%012llu\",\"timestamp\":"
      "\"%lld\",\"type\":\"text\",\"text\":{\"body\":\"order #%010llu# ",
      (unsigned long long)contact, (unsigned long long)contact, run, (unsigned long long)number, (long long)time(NULL),
      (unsigned long long)number);
  static const char end[] = "\"}}]},\"field\":\"messages\"}]}]}";
  size_t tail = sizeof end - 1, used = (size_t)size;
  if (used + tail > BODY_SIZE)
    drive_die("the webhook is longer than %d bytes", BODY_SIZE);
  memset(to + used, '.', BODY_SIZE - used - tail);
  memcpy(to + BODY_SIZE - tail, end, tail);
  return BODY_SIZE;
}

/* Whose turn it is, where it has a connection to spare; otherwise the next one that has. NULL: there is none. */
static struct peer **free_hook(struct traffic *traffic)
{
  int hosts = traffic->plan->hosts;
  for (int i = 0; i < hosts; i++) {
    int host = (traffic->next_host + i) % hosts;
    if (traffic->free_hooks[host])
      return &traffic->free_hooks[host];
  }
  return NULL;
}

static void send_event(struct traffic *traffic, struct peer **from, double due)
{
  struct peer *hook = *from;
  *from = hook->next;
  traffic->next_host = (hook->host + 1) % traffic->plan->hosts;
  if (traffic->count == traffic->room) {
    traffic->room = traffic->room ? traffic->room * 2 : 65536;
    traffic->events = checked(realloc(traffic->events, traffic->room * sizeof *traffic->events));
  }
  hook->event = traffic->count++;
  uint64_t contact = draw(traffic) % traffic->plan->contacts;
  traffic->events[hook->event] = (struct event){.due = due, .contact = contact};
  traffic->open++;
  char request[1024];
  /* One library asks for the signature's field, even when it is told not to check it. */
  int size = snprintf(request, sizeof request,
                      "POST /webhook HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                      "X-Hub-Signature-256: sha256=0\r\nContent-Length: %d\r\n\r\n",
                      traffic->plan->ports[hook->host], BODY_SIZE);
  size_t body = write_body(request + size, hook->event, contact, traffic->prefix);
  write_all(hook->fd, request, (size_t)size + body);
}

static void open_hooks(struct traffic *traffic)
{
  for (int i = 0; i < traffic->plan->connections; i++) {
    int host = i % traffic->plan->hosts;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)traffic->plan->ports[host]),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
      drive_die("connect: %s", strerror(errno));
    struct peer *hook = new_peer(traffic, HOOK, fd);
    hook->host = host;
    hook->next = traffic->free_hooks[host];
    traffic->free_hooks[host] = hook;
  }
}

/* ---- what comes in ----------------------------------------------------------------------------------------------- */

/* The size of the HTTP message at the beginning of `text`; 0 when it is not complete. */
static size_t complete(const char *text, size_t have)
{
  const char *end = memmem(text, have, "\r\n\r\n", 4);
  if (!end)
    return 0;
  size_t head = (size_t)(end - text) + 4, body = 0;
  for (const char *at = text; at < end; at = (const char *)memchr(at, '\n', have - (size_t)(at - text)) + 1)
    if (strncasecmp(at, "content-length:", 15) == 0)
      body = strtoull(at + 15, NULL, 10);
  return have >= head + body ? head + body : 0;
}

static void close_event(struct traffic *traffic, const struct event *event)
{
  if (event->is_answered && (event->messages || !event->is_accepted))
    traffic->open--;
}

static void take_answer(struct traffic *traffic, struct peer *hook)
{
  struct event *event = &traffic->events[hook->event];
  traffic->answered++;
  event->is_answered = 1;
  event->is_accepted = memcmp(hook->in, "HTTP/1.1 200", 12) == 0;
  close_event(traffic, event);
  hook->next = traffic->free_hooks[hook->host];
  traffic->free_hooks[hook->host] = hook;
}

/* Only where time does not count: is it to whom it must be, and does it say what it must? */
static void check_message(struct traffic *traffic, const struct event *event, const char *text, size_t size)
{
  char said[64], recipient[32];
  uint64_t number = (uint64_t)(event - traffic->events);
  int said_size = write_said(said, sizeof said, number);
  int recipient_size = snprintf(recipient, sizeof recipient, "\"91%010llu\"", (unsigned long long)event->contact);
  const char *body = (const char *)memmem(text, size, "\r\n\r\n", 4) + 4;
  size_t bytes = size - (size_t)(body - text);
  static const char end[] = ". It will be with you tomorrow evening.";
  if (!memmem(body, bytes, said, (size_t)said_size) || !memmem(body, bytes, end, sizeof end - 1) ||
      !memmem(body, bytes, recipient, (size_t)recipient_size))
    traffic->wrong++;
  if (traffic->least_bytes == 0 || bytes < traffic->least_bytes)
    traffic->least_bytes = bytes;
  if (bytes > traffic->most_bytes)
    traffic->most_bytes = bytes;
}

static void count_message(struct traffic *traffic, const char *text, size_t size)
{
  const char *mark = memchr(text, '#', size);
  uint64_t number = mark ? strtoull(mark + 1, NULL, 10) : UINT64_MAX;
  if (number >= traffic->count)
    drive_die("a message without an event's number: %.*s", (int)size, text);
  struct event *event = &traffic->events[number];
  if (event->messages < UINT8_MAX)
    event->messages++;
  if (traffic->plan->events > 0)
    check_message(traffic, event, text, size);
  if (event->messages > 1)
    return;
  close_event(traffic, event);
  double now = drive_now();
  if (now < traffic->measure_from || now >= traffic->measure_to)
    return;
  traffic->counted++;
  /* What had piled up before is no part of the latency. */
  if (event->due < traffic->measure_from)
    return;
  if (traffic->timed == traffic->latency_room) {
    traffic->latency_room = traffic->latency_room ? traffic->latency_room * 2 : 65536;
    traffic->latencies = checked(realloc(traffic->latencies, traffic->latency_room * sizeof(double)));
  }
  traffic->latencies[traffic->timed++] = now - event->due;
}

static void answer_message(struct traffic *traffic, struct peer *peer)
{
  char answer[512], body[256];
  int size = snprintf(body, sizeof body,
                      "{\"messaging_product\":\"whatsapp\",\"contacts\":[{\"input\":\"919999999999\",\"wa_id\":"
                      "\"919999999999\"}],\"messages\":[{\"id\":\"wamid.out%s%012llu\"}]}",
                      traffic->prefix, (unsigned long long)traffic->taken);
  size = snprintf(answer, sizeof answer,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", size, body);
  write_all(peer->fd, answer, (size_t)size);
}

static void accept_all(struct traffic *traffic, const struct peer *listening)
{
  int fd;
  while ((fd = accept4(listening->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
    new_peer(traffic, MESSAGES, fd);
}

/* A program may close a connection that it was sent nothing on for long. */
static bool forget_free(struct traffic *traffic, const struct peer *peer)
{
  for (struct peer **at = &traffic->free_hooks[peer->host]; *at; at = &(*at)->next) {
    if (*at == peer) {
      *at = peer->next;
      return true;
    }
  }
  return false;
}

static void read_peer(struct traffic *traffic, struct peer *peer)
{
  ssize_t got = recv(peer->fd, peer->in + peer->have, sizeof peer->in - peer->have, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got <= 0) {
    if (peer->role == HOOK && !forget_free(traffic, peer))
      drive_die("the program closed a connection on which it had to answer");
    close(peer->fd);
    free(peer);
    return;
  }
  peer->have += (size_t)got;
  size_t used = 0, size;
  while ((size = complete(peer->in + used, peer->have - used)) > 0) {
    if (peer->role == HOOK) {
      take_answer(traffic, peer);
    } else {
      traffic->taken++;
      if (traffic->plan)
        count_message(traffic, peer->in + used, size);
      answer_message(traffic, peer);
    }
    used += size;
  }
  peer->have -= used;
  memmove(peer->in, peer->in + used, peer->have);
}

static void wait_and_read(struct traffic *traffic, double seconds)
{
  struct epoll_event events[MOST_EVENTS];
  seconds = seconds > 0 ? seconds : 0;
  struct timespec timeout = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  int count = epoll_pwait2(traffic->epoll, events, MOST_EVENTS, &timeout, NULL);
  for (int i = 0; i < count; i++) {
    struct peer *peer = events[i].data.ptr;
    if (peer->role == LISTENING)
      accept_all(traffic, peer);
    else
      read_peer(traffic, peer);
  }
}

/* ---- runs -------------------------------------------------------------------------------------------------------- */

static void begin(struct traffic *traffic, int sink)
{
  traffic->epoll = epoll_create1(EPOLL_CLOEXEC);
  traffic->random = UINT64_C(0x9e3779b97f4a7c15);
  /* No event of an earlier run may look like one of this. */
  snprintf(traffic->prefix, sizeof traffic->prefix, "%08llx",
           (unsigned long long)((uint64_t)(drive_now() * 1e6) & 0xffffffff));
  new_peer(traffic, LISTENING, sink);
}

/* Sends what is due; gives the seconds until something is. */
static double send_due(struct traffic *traffic, double began, uint64_t *sent)
{
  const struct drive_plan *plan = traffic->plan;
  struct peer **hook;
  if (plan->rate <= 0) {
    while (traffic->open < (uint64_t)plan->in_flight && (hook = free_hook(traffic)))
      send_event(traffic, hook, drive_now());
    return 0.1;
  }
  double now = drive_now(), due;
  while ((due = began + (double)*sent / plan->rate) <= now && (hook = free_hook(traffic))) {
    send_event(traffic, hook, due);
    ++*sent;
  }
  return due > now ? due - now : 0.1;
}

static int compare(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double at(const struct traffic *traffic, double part)
{
  if (traffic->timed == 0) /* so far behind that all of it was due before: longer than that */
    return traffic->plan->seconds;
  return traffic->latencies[(uint64_t)(part * (double)(traffic->timed - 1))];
}

static void sum_up(struct traffic *traffic, struct drive_result *result)
{
  for (uint64_t i = 0; i < traffic->count; i++) {
    const struct event *event = &traffic->events[i];
    result->accepted += event->is_accepted;
    result->refused += event->is_answered && !event->is_accepted;
    result->once += event->messages == 1;
    result->twice += event->messages > 1;
    result->lost += event->is_accepted && event->messages == 0;
  }
  qsort(traffic->latencies, traffic->timed, sizeof(double), compare);
  result->counted = traffic->counted;
  result->wrong = traffic->wrong;
  result->least_bytes = traffic->least_bytes;
  result->most_bytes = traffic->most_bytes;
  result->p50 = at(traffic, 0.5);
  result->p99 = at(traffic, 0.99);
  result->p999 = at(traffic, 0.999);
}

/* Adds the processor time since the beginning of it to `result`, with `sign` 1; or takes it away. */
static void add_cpu(const struct drive_plan *plan, struct drive_result *result, int sign)
{
  for (int i = 0; i < plan->hosts; i++) {
    double cpu = sign * drive_cpu_seconds(plan->pids[i]);
    result->cpu += cpu;
    result->cpu_first += i == 0 ? cpu : 0;
  }
  result->cpu_database += sign * drive_cpu_of_all(plan->database);
}

struct drive_result drive_pipeline(const struct drive_plan *plan)
{
  struct traffic traffic = {.plan = plan};
  struct drive_result result = {0};
  begin(&traffic, plan->sink);
  open_hooks(&traffic);
  double began = drive_now();
  bool is_measuring = false;
  traffic.measure_from = began + plan->warm_up;
  traffic.measure_to = traffic.measure_from + plan->seconds;
  uint64_t sent = 0;
  for (double now; (now = drive_now()) < traffic.measure_to;) {
    if (!is_measuring && now >= traffic.measure_from)
      add_cpu(plan, &result, -1);
    is_measuring |= now >= traffic.measure_from;
    wait_and_read(&traffic, send_due(&traffic, began, &sent));
  }
  add_cpu(plan, &result, 1);
  double end = drive_now() + LAST_WAIT;
  while (traffic.open > 0 && drive_now() < end)
    wait_and_read(&traffic, 0.01);
  sum_up(&traffic, &result);
  return result;
}

struct drive_result drive_check(const struct drive_plan *plan)
{
  struct traffic traffic = {.plan = plan};
  struct drive_result result = {0};
  begin(&traffic, plan->sink);
  open_hooks(&traffic);
  double end = drive_now() + LAST_WAIT;
  for (bool is_done = false; !is_done && drive_now() < end;) {
    for (struct peer **hook; traffic.count < plan->events && (hook = free_hook(&traffic));) {
      send_event(&traffic, hook, drive_now());
      end = drive_now() + LAST_WAIT;
    }
    wait_and_read(&traffic, 0.01);
    is_done = traffic.answered == plan->events && (plan->is_killed || traffic.open == 0);
  }
  if (plan->is_killed)
    kill(plan->pids[0], SIGKILL);
  sum_up(&traffic, &result);
  return result;
}

bool drive_take(int sink, pid_t pid, uint64_t first, uint64_t last, double *seconds, double *cpu)
{
  struct traffic traffic = {0};
  begin(&traffic, sink);
  double began = 0, cpu_before = 0, heard_at = drive_now();
  for (uint64_t taken = 0; traffic.taken < last;) {
    wait_and_read(&traffic, 0.1);
    if (began == 0 && traffic.taken >= first) {
      began = drive_now();
      cpu_before = drive_cpu_seconds(pid);
    }
    if (traffic.taken > taken)
      heard_at = drive_now();
    else if (drive_now() - heard_at > LAST_WAIT)
      return false;
    taken = traffic.taken;
  }
  *seconds = drive_now() - began;
  *cpu = drive_cpu_seconds(pid) - cpu_before;
  return true;
}
