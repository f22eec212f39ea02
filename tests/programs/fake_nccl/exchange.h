#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What ranks say to the root, and it to them, over TCP on loopback: a frame, then `count` floats,
/// or bytes of an error.
enum Kind { kHello = 1, kReady, kSum, kBroadcast, kFinalize, kError };
struct Frame {
  uint32_t kind;
  uint32_t root;   ///< of kBroadcast; the rank of kHello
  uint64_t count;  ///< the number of ranks of kHello
  uint64_t nonce;  ///< of the id
};

bool send_all(int socket, const void* data, size_t size);
bool receive_all(int socket, void* data, size_t size);

/// A listening socket on 127.0.0.1; `port` 0: one of the kernel's choice, which is then there.
/// -1: the port is taken.
int listen_on(uint16_t* port);
/// Tries again until somebody listens there, or `*stop` is set. -1: stopped.
int connect_to(uint16_t port, const atomic_int* stop);

/// A thread that waits for all ranks on the listening socket, holds what they say against each
/// other, adds up what they send, and ends when all have finalized or one is gone.
struct Root* start_root(int listener, uint64_t nonce);
/// The one that this process has started for this id; NULL: none.
struct Root* find_root(uint64_t nonce);
/// Waits for its end; the rank of this process has closed its connection.
void end_root(struct Root* root);
