// A libnccl.so.2 for machines without a GPU, and without NCCL. Ranks really meet, over sockets on
// loopback, and add up floats in the host's memory; streams are ignored. Like the real one it works
// in the background for communicators that do not block. A program that uses it in a way that
// NCCL's documents forbid is ended by abort(), with a sentence; and so is one that leaves a
// communicator behind. FAKE_NCCL says what goes wrong (behaviour.h has the rules):
//
//   version=22602     it says that it is another version
//   fail=CALL         the call gives ncclSystemError
//   hang=CALL         the call never comes back
//   hang=connect, hang=finalize, fail=connect
//                     the same of what goes on in the background, until it is aborted
//   break=N           an asynchronous error once the N-th all-reduce has been seen to succeed
#include <nccl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "behaviour.h"
#include "exchange.h"

enum { kAlive = 0x600d, kEnded = 0xdead, kMoments = 1000 };

struct Id {
  char name[8];  // "fake id"
  uint64_t nonce;
  uint16_t port;
  char of_environment;  // by NCCL_COMM_ID: rank 0 of the communicator opens the port
};

struct ncclComm {
  int life;
  struct ncclComm* older;
  int size, rank, blocks, finalized, sums, seen;
  struct Id id;
  struct Root* root;  // NULL: another process has it
  atomic_int socket;
  atomic_int state;  // ncclResult_t
  atomic_int aborted;
  int has_thread;
  pthread_t thread;
  // what the thread does
  struct Frame asked;
  const float* from;
  float* to;
};

static struct ncclComm* newest;
static pthread_mutex_t newest_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_error[256];

static ncclResult_t failed(ncclResult_t result, const char* why) {
  snprintf(last_error, sizeof last_error, "%s", why);
  return result;
}

static void hang_until(const atomic_int* end) {
  while (end == NULL || !atomic_load(end)) usleep(kMoments);
}

/// What FAKE_NCCL wants of a call that is not in the background.
static ncclResult_t begin(const char* call) {
  note_call(call);
  if (wanted("hang", call)) hang_until(NULL);
  return wanted("fail", call) ? failed(ncclSystemError, "the fake was told to fail") : ncclSuccess;
}

static void check_alive(ncclComm_t comm, const char* call) {
  if (comm == NULL) misuse(call, "no communicator");
  if (comm->life != kAlive) misuse(call, "the communicator was destroyed or aborted before");
}

// ---- the background

static ncclResult_t heard_error(struct ncclComm* comm, uint64_t size) {
  char text[128] = "";
  receive_all(comm->socket, text, size < sizeof text ? size : sizeof text - 1);
  return failed(ncclRemoteError, text);
}

/// Says what is asked for, and waits for the root's answer.
static ncclResult_t ask(struct ncclComm* comm) {
  const size_t bytes = sizeof(float) * comm->asked.count;
  const int with_data = comm->asked.kind == kSum || comm->asked.kind == kBroadcast;
  struct Frame answer;
  // A root that has gone has said why, which is still to be read.
  if (send_all(comm->socket, &comm->asked, sizeof comm->asked) && with_data)
    send_all(comm->socket, comm->from, bytes);
  if (!receive_all(comm->socket, &answer, sizeof answer))
    return failed(ncclRemoteError, "the root is gone");
  if (answer.kind == kError) return heard_error(comm, answer.count);
  if (with_data && !receive_all(comm->socket, comm->to, bytes))
    return failed(ncclRemoteError, "the root is gone");
  return ncclSuccess;
}

static ncclResult_t connect_all(struct ncclComm* comm) {
  if (wanted("hang", "connect")) hang_until(&comm->aborted);
  if (wanted("fail", "connect")) return failed(ncclSystemError, "the fake was told to fail");
  if (comm->id.of_environment && comm->rank == 0) {
    const int listener = listen_on(&comm->id.port);
    if (listener < 0) return failed(ncclSystemError, "the port of NCCL_COMM_ID is taken");
    comm->root = start_root(listener, comm->id.nonce);
  }
  comm->socket = connect_to(comm->id.port, &comm->aborted);
  // Who aborts shuts the socket that it sees, and says before that it does.
  if (comm->socket < 0 || comm->aborted) return failed(ncclInternalError, "aborted");
  return ask(comm);
}

static ncclResult_t work(struct ncclComm* comm) {
  if (comm->asked.kind == kHello) return connect_all(comm);
  if (comm->asked.kind == kFinalize && wanted("hang", "finalize")) {
    hang_until(&comm->aborted);
    return failed(ncclInternalError, "aborted");
  }
  return ask(comm);
}

static void* run(void* argument) {
  struct ncclComm* comm = argument;
  atomic_store(&comm->state, (int)work(comm));
  return NULL;
}

static void join(struct ncclComm* comm) {
  if (comm->has_thread) pthread_join(comm->thread, NULL);
  comm->has_thread = 0;
}

static ncclResult_t start(struct ncclComm* comm, struct Frame asked) {
  comm->asked = asked;
  comm->seen = 0;
  if (comm->blocks) {
    atomic_store(&comm->state, (int)work(comm));
    return (ncclResult_t)atomic_load(&comm->state);
  }
  atomic_store(&comm->state, (int)ncclInProgress);
  join(comm);
  pthread_create(&comm->thread, NULL, run, comm);
  comm->has_thread = 1;
  return ncclInProgress;
}

/// As the real one: a call is refused while the last one is on its way.
static ncclResult_t check_ready(struct ncclComm* comm, const char* call) {
  check_alive(comm, call);
  const ncclResult_t state = (ncclResult_t)atomic_load(&comm->state);
  if (state == ncclInProgress) misuse(call, "the call before it is still in progress");
  if (comm->finalized) misuse(call, "after ncclCommFinalize");
  return state;
}

// ---- NCCL's functions

ncclResult_t ncclGetVersion(int* version) {
  const ncclResult_t result = begin("ncclGetVersion");
  *version = wanted_number("version", NCCL_VERSION_CODE);
  return result;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* out) {
  const ncclResult_t result = begin("ncclGetUniqueId");
  if (result != ncclSuccess) return result;
  struct Id id = {.name = "fake id"};
  const char* environment = getenv("NCCL_COMM_ID");
  if (environment != NULL) {
    const char* port = strrchr(environment, ':');
    if (port == NULL) return failed(ncclInvalidArgument, "Invalid NCCL_COMM_ID");
    id.of_environment = 1;
    id.port = (uint16_t)atoi(port + 1);
  } else {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    id.nonce = (uint64_t)now.tv_nsec << 32 | (uint64_t)getpid();
    start_root(listen_on(&id.port), id.nonce);
  }
  memset(out, 0, sizeof *out);
  memcpy(out, &id, sizeof id);
  return ncclSuccess;
}

static ncclResult_t make(ncclComm_t* out, int size, ncclUniqueId unique, int rank, int blocks) {
  *out = NULL;
  struct Id id;
  memcpy(&id, &unique, sizeof id);
  if (memcmp(id.name, "fake id", 8) != 0) return failed(ncclInvalidArgument, "no ncclUniqueId");
  if (size < 1 || rank < 0 || rank >= size)
    return failed(ncclInvalidArgument, "Invalid rank requested");
  struct ncclComm* comm = calloc(1, sizeof *comm);
  *comm = (struct ncclComm){.life = kAlive, .size = size, .rank = rank, .blocks = blocks};
  comm->id = id;
  if (!id.of_environment) comm->root = find_root(id.nonce);
  comm->socket = -1;
  pthread_mutex_lock(&newest_lock);
  comm->older = newest;
  newest = comm;
  pthread_mutex_unlock(&newest_lock);
  *out = comm;
  return start(
      comm,
      (struct Frame){
          .kind = kHello, .root = (uint32_t)rank, .count = (uint64_t)size, .nonce = id.nonce});
}

ncclResult_t ncclCommInitRank(ncclComm_t* comm, int size, ncclUniqueId id, int rank) {
  const ncclResult_t result = begin("ncclCommInitRank");
  return result != ncclSuccess ? result : make(comm, size, id, rank, 1);
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  const ncclResult_t result = begin("ncclCommInitRankConfig");
  if (result != ncclSuccess) return result;
  const ncclConfig_t initial = NCCL_CONFIG_INITIALIZER;
  if (config != NULL && config->magic != initial.magic)
    return failed(ncclInvalidArgument, "ncclConfig_t argument not initialized");
  return make(comm, size, id, rank, config == NULL || config->blocking != 0);
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  (void)stream;
  const ncclResult_t result = begin("ncclAllReduce");
  const ncclResult_t state = check_ready(comm, "ncclAllReduce");
  if (result != ncclSuccess || state != ncclSuccess) return result != ncclSuccess ? result : state;
  if (type != ncclFloat || operation != ncclSum)
    return failed(ncclInvalidArgument, "the fake adds up floats only");
  comm->from = from;
  comm->to = to;
  ++comm->sums;
  return start(comm, (struct Frame){.kind = kSum, .count = count});
}

ncclResult_t ncclBroadcast(const void* from, void* to, size_t count, ncclDataType_t type, int root,
                           ncclComm_t comm, cudaStream_t stream) {
  (void)stream;
  const ncclResult_t result = begin("ncclBroadcast");
  const ncclResult_t state = check_ready(comm, "ncclBroadcast");
  if (result != ncclSuccess || state != ncclSuccess) return result != ncclSuccess ? result : state;
  if (type != ncclFloat || root < 0 || root >= comm->size)
    return failed(ncclInvalidArgument, "the fake sends floats of a rank only");
  comm->from = from;
  comm->to = to;
  return start(comm, (struct Frame){.kind = kBroadcast, .root = (uint32_t)root, .count = count});
}

/// What has come without being asked for is the root's error, or the end of it.
static void look_for_errors(struct ncclComm* comm) {
  char byte;
  if (atomic_load(&comm->state) != (int)ncclSuccess || comm->finalized) return;
  if (comm->seen++ > 0 && comm->sums > 0 && comm->sums == wanted_number("break", 0)) {
    atomic_store(&comm->state, (int)failed(ncclRemoteError, "the fake was told to break"));
  } else if (recv(comm->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
    struct Frame frame = {0};
    const bool told = receive_all(comm->socket, &frame, sizeof frame);
    atomic_store(&comm->state, (int)(told ? heard_error(comm, frame.count)
                                          : failed(ncclRemoteError, "the root is gone")));
  }
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* error) {
  check_alive(comm, "ncclCommGetAsyncError");
  look_for_errors(comm);
  *error = (ncclResult_t)atomic_load(&comm->state);
  return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
  const ncclResult_t result = begin("ncclCommFinalize");
  const ncclResult_t state = check_ready(comm, "ncclCommFinalize");
  if (result != ncclSuccess || state != ncclSuccess) return result != ncclSuccess ? result : state;
  comm->finalized = 1;
  return start(comm, (struct Frame){.kind = kFinalize});
}

static void end(struct ncclComm* comm) {
  comm->life = kEnded;
  comm->aborted = 1;
  if (comm->socket >= 0) shutdown(comm->socket, SHUT_RDWR);
  join(comm);
  if (comm->socket >= 0) close(comm->socket);
  if (comm->root != NULL) end_root(comm->root);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  note_call("ncclCommDestroy");
  check_alive(comm, "ncclCommDestroy");
  const ncclResult_t state = (ncclResult_t)atomic_load(&comm->state);
  if (state == ncclInProgress) misuse("ncclCommDestroy", "the call before it is in progress");
  if (state != ncclSuccess) misuse("ncclCommDestroy", "of a communicator that had an error");
  if (!comm->finalized) {
    comm->asked = (struct Frame){.kind = kFinalize};
    ask(comm);
  }
  end(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  note_call("ncclCommAbort");
  check_alive(comm, "ncclCommAbort");
  end(comm);
  return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t comm, int* count) {
  check_alive(comm, "ncclCommCount");
  *count = comm->size;
  return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t comm, int* rank) {
  check_alive(comm, "ncclCommUserRank");
  *rank = comm->rank;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSuccess:
      return "no error";
    case ncclSystemError:
      return "unhandled system error";
    case ncclInternalError:
      return "internal error";
    case ncclInvalidArgument:
      return "invalid argument";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    case ncclInProgress:
      return "NCCL operation in progress";
    default:
      return "unknown result code";
  }
}

const char* ncclGetLastError(ncclComm_t comm) {
  (void)comm;
  return last_error;
}

__attribute__((destructor)) static void look_for_leaks(void) {
  for (struct ncclComm* comm = newest; comm != NULL; comm = comm->older) {
    if (comm->life == kAlive) misuse("exit", "a communicator was neither destroyed nor aborted");
  }
}
