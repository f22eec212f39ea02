#include "exchange.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool send_all(int socket, const void* data, size_t size) {
  for (const char* rest = data; size > 0;) {
    const ssize_t sent = send(socket, rest, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    rest += sent;
    size -= (size_t)sent;
  }
  return true;
}

bool receive_all(int socket, void* data, size_t size) {
  for (char* rest = data; size > 0;) {
    const ssize_t got = recv(socket, rest, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    rest += got;
    size -= (size_t)got;
  }
  return true;
}

static struct sockaddr_in loopback(uint16_t port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// Small pieces go at once: else an answer's second one would get lost when its sender ends.
static int without_delay(int connection) {
  const int on = 1;
  if (connection >= 0) setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}

int listen_on(uint16_t* port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  if (*port != 0) {  // as NCCL does with a port that NCCL_COMM_ID names
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  struct sockaddr_in address = loopback(*port);
  socklen_t size = sizeof address;
  if (bind(listener, (struct sockaddr*)&address, size) != 0 || listen(listener, 4096) != 0) {
    close(listener);
    return -1;
  }
  getsockname(listener, (struct sockaddr*)&address, &size);
  *port = ntohs(address.sin_port);
  return listener;
}

int connect_to(uint16_t port, const atomic_int* stop) {
  const struct sockaddr_in address = loopback(port);
  while (!atomic_load(stop)) {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, (const struct sockaddr*)&address, sizeof address) == 0)
      return without_delay(connection);
    close(connection);
    usleep(1000);
  }
  return -1;
}

// ---- the root

struct Root {
  struct Root* older;
  pthread_t thread;
  int listener;
  uint64_t nonce;
  int size;      // 0: nobody has come
  int* sockets;  // by rank; -1: has not come
  struct Frame* asked;
  float** data;
};

/// Rank 0 last: the root lives in its process, which may end with the answer.
static void tell_all(struct Root* root, uint32_t kind, const void* data, uint64_t count,
                     size_t bytes) {
  const struct Frame frame = {.kind = kind, .count = count};
  for (int rank = root->size - 1; rank >= 0; --rank) {
    if (root->sockets[rank] < 0) continue;
    send_all(root->sockets[rank], &frame, sizeof frame);
    send_all(root->sockets[rank], data, bytes);
  }
}

static void tell_error(struct Root* root, const char* text) {
  tell_all(root, kError, text, strlen(text), strlen(text));
}

static bool take_in(struct Root* root, int connection, const struct Frame* hello) {
  char text[128];
  const int rank = (int)hello->root, size = (int)hello->count;
  if (root->size == 0) {
    root->size = size;
    root->sockets = malloc(sizeof(int) * (size_t)size);
    root->asked = calloc((size_t)size, sizeof(struct Frame));
    root->data = calloc((size_t)size, sizeof(float*));
    for (int one = 0; one < size; ++one) root->sockets[one] = -1;
  }
  snprintf(text, sizeof text, "rank %d comes as one of %d, others as one of %d", rank, size,
           root->size);
  if (size == root->size && root->sockets[rank] < 0) {
    root->sockets[rank] = connection;
    return true;
  }
  if (size == root->size) snprintf(text, sizeof text, "rank %d comes twice", rank);
  const struct Frame frame = {.kind = kError, .count = strlen(text)};
  send_all(connection, &frame, sizeof frame);
  send_all(connection, text, strlen(text));
  tell_error(root, text);
  return false;
}

/// Until all ranks have come; whoever has another nonce is no rank of this communicator.
static bool gather(struct Root* root) {
  for (int come = 0; root->size == 0 || come < root->size;) {
    const int connection = without_delay(accept(root->listener, NULL, NULL));
    if (connection < 0) return false;
    struct Frame hello;
    if (!receive_all(connection, &hello, sizeof hello) || hello.nonce != root->nonce) {
      close(connection);
      continue;
    }
    if (!take_in(root, connection, &hello)) return false;
    ++come;
  }
  return true;
}

static bool carries_data(const struct Frame* frame) {
  return frame->kind == kSum || frame->kind == kBroadcast;
}

/// What one rank asks for. False: it is gone.
static bool hear(struct Root* root, int rank) {
  struct Frame* frame = &root->asked[rank];
  if (!receive_all(root->sockets[rank], frame, sizeof *frame)) return false;
  if (!carries_data(frame)) return true;
  root->data[rank] = realloc(root->data[rank], sizeof(float) * frame->count + 1);
  return receive_all(root->sockets[rank], root->data[rank], sizeof(float) * frame->count);
}

/// What all of them ask for next. False: one is gone, or they do not agree.
static bool hear_all(struct Root* root) {
  struct pollfd* waiting = malloc(sizeof(struct pollfd) * (size_t)root->size);
  for (int rank = 0; rank < root->size; ++rank)
    waiting[rank] = (struct pollfd){.fd = root->sockets[rank], .events = POLLIN};
  char text[128] = "";
  for (int left = root->size; left > 0 && *text == 0;) {
    if (poll(waiting, (nfds_t)root->size, -1) < 0) continue;
    for (int rank = 0; rank < root->size && *text == 0; ++rank) {
      if (waiting[rank].fd < 0 || waiting[rank].revents == 0) continue;
      if (!hear(root, rank)) snprintf(text, sizeof text, "rank %d is gone", rank);
      waiting[rank].fd = -1;
      --left;
    }
  }
  for (int rank = 1; rank < root->size && *text == 0; ++rank) {
    if (memcmp(&root->asked[rank], &root->asked[0], sizeof(struct Frame)) != 0)
      snprintf(text, sizeof text, "ranks 0 and %d called different things", rank);
  }
  free(waiting);
  if (*text != 0) tell_error(root, text);
  return *text == 0;
}

static void answer(struct Root* root) {
  const struct Frame asked = root->asked[0];
  if (!carries_data(&asked)) return tell_all(root, asked.kind, NULL, 0, 0);
  float* result = root->data[asked.kind == kSum ? 0 : asked.root];
  if (asked.kind == kSum) {
    for (int rank = 1; rank < root->size; ++rank) {
      for (uint64_t i = 0; i < asked.count; ++i) result[i] += root->data[rank][i];
    }
  }
  tell_all(root, asked.kind, result, asked.count, sizeof(float) * asked.count);
}

static void* serve(void* argument) {
  struct Root* root = argument;
  if (gather(root)) {
    tell_all(root, kReady, NULL, 0, 0);
    while (hear_all(root)) {
      answer(root);
      if (root->asked[0].kind == kFinalize) break;
    }
  }
  for (int rank = 0; rank < root->size; ++rank) {
    if (root->sockets[rank] >= 0) close(root->sockets[rank]);
    free(root->data[rank]);
  }
  free(root->sockets);
  free(root->asked);
  free(root->data);
  return NULL;
}

static struct Root* newest;
static pthread_mutex_t newest_lock = PTHREAD_MUTEX_INITIALIZER;

struct Root* start_root(int listener, uint64_t nonce) {
  struct Root* root = calloc(1, sizeof *root);
  root->listener = listener;
  root->nonce = nonce;
  pthread_mutex_lock(&newest_lock);
  root->older = newest;
  newest = root;
  pthread_mutex_unlock(&newest_lock);
  pthread_create(&root->thread, NULL, serve, root);
  return root;
}

struct Root* find_root(uint64_t nonce) {
  pthread_mutex_lock(&newest_lock);
  struct Root* root = newest;
  while (root != NULL && root->nonce != nonce) root = root->older;
  pthread_mutex_unlock(&newest_lock);
  return root;
}

void end_root(struct Root* root) {
  shutdown(root->listener, SHUT_RDWR);  // it may still wait for ranks
  pthread_join(root->thread, NULL);
  close(root->listener);
}
