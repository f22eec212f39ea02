#pragma once

#include <nccl.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "trainit/result.h"
#include "trainit/store.h"

/// An ncclComm_t from the environment of a worker, in one line:
///
///     auto communicator = trainit::nccl::Communicator::from_environment();
///
/// libnccl.so.2 is loaded when it is first needed; programs link no NCCL. Link trainit::nccl, which
/// needs NCCL's header to be compiled against, and is no part of trainit::trainit.
namespace trainit::nccl {

class Handle;

struct Options {
  /// For all of it: meeting the others, and NCCL's own start; a request to the store that is on
  /// its way then is given up to 5 s more. Later on for each wait.
  std::chrono::milliseconds timeout = std::chrono::minutes(5);
  /// The ranks of the job that take part, in the order of their ranks in the communicator, and the
  /// same on all of them; empty: every rank.
  std::vector<int> ranks;
  /// Tells apart communicators of the same ranks; the same on all of them. Those that are made one
  /// after the other may have one name.
  std::string name = "world";
  /// Asked again and again while the communicator is made, for a program that was told to stop:
  /// true gives up, on all of its ranks. May be empty.
  std::function<bool()> stop_requested;
  /// The library; a name is looked for as dlopen does.
  std::string library = "libnccl.so.2";
  /// Of the header that the program is compiled with. The library has to be of the same major
  /// version, and its minor version not older.
  int header_version = NCCL_VERSION_CODE;
};

/// One rank's end of a communicator. The first of its ranks makes the id, and all others get it
/// through the rendezvous store. When one of them fails, the others end at once with its reason.
///
/// It does not block, because only then can NCCL's work be given up: a call on it may return
/// ncclInProgress, and the next call, and work of the same stream, has to wait until NCCL has taken
/// it. `settle` is that wait:
///
///     auto* all_reduce = communicator->function<decltype(ncclAllReduce)>("ncclAllReduce");
///     auto taken = communicator->settle(all_reduce(…, communicator->get(), stream));
///
/// Not for use from several threads at once.
class Communicator {
 public:
  /// By RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. The CUDA device is the calling thread's
  /// current one. Errors: a variable is not set or makes no sense; this rank is none of
  /// `options.ranks`; no library, or one that does not fit the header; `options.timeout` has
  /// passed, and then the ranks are named that have not come; NCCL's own error, with what
  /// ncclGetLastError says; a stop was asked for; one of these on another rank.
  static Result<Communicator> from_environment(const Options& options = {});
  /// The same through a client that is connected already; `rank` of `world_size` is this process.
  static Result<Communicator> create(StoreClient& store, int rank, int world_size,
                                     const Options& options = {});

  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;
  /// As `close`, without telling what came of it.
  ~Communicator();

  /// Null after `close` and `abort`.
  ncclComm_t get() const;
  int rank() const { return rank_; }  ///< in the communicator
  int size() const { return size_; }

  /// Takes what a call on `get()`, or ncclGroupEnd, has returned, and waits until NCCL has done
  /// what was asked for, or has put it on its stream. Errors: NCCL's own; `options.timeout` has
  /// passed. After an error the communicator can only be aborted.
  Result<void> settle(ncclResult_t result);
  /// What went wrong asynchronously, for example that a peer is gone.
  Result<void> check();

  /// Waits until all that was begun on it has ended, on all of its ranks, and destroys it. Aborts
  /// it after an error, and when `options.timeout` has passed, which is an error too.
  Result<void> close();
  /// Ends all that is on its way on it, here alone, and destroys it.
  void abort();

  /// One of the library's functions: null when it has none of this name.
  template <class Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(symbol(name));
  }

 private:
  Communicator(std::unique_ptr<Handle> handle, std::string name, std::chrono::milliseconds timeout,
               int rank, int size);
  Result<void> named(Result<void> result) const;
  std::function<Result<void>()> patience() const;
  void* symbol(const char* name) const;

  std::unique_ptr<Handle> handle_;
  std::string name_;
  std::chrono::milliseconds timeout_;
  int rank_, size_;
};

}  // namespace trainit::nccl
