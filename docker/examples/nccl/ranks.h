#pragma once

#include <trainit/nccl.h>

#include <functional>

#include "device.h"

/// This worker among all workers of the job, and what they do together by NCCL, on one stream of
/// this thread's device. Errors of what they do together have the exit code kBecauseOfOthers.
class Ranks {
 public:
  /// Waits until all have come. Error also: `stop_requested` said so meanwhile, on any of them.
  static trainit::Result<Ranks> meet(std::function<bool()> stop_requested);
  Ranks(Ranks&&) = default;
  /// After an error the others are not waited for.
  ~Ranks() { communicator_.abort(); }

  int rank() const { return communicator_.rank(); }
  int size() const { return communicator_.size(); }
  bool first() const { return rank() == 0; }
  cudaStream_t stream() const { return stream_.get(); }

  /// Each number becomes its sum over the ranks.
  trainit::Result<void> add_up(Buffer<float>& numbers);
  /// Each number becomes that of rank 0.
  trainit::Result<void> take_over(Buffer<float>& numbers);

  /// For the end, when all is well: waits for the others.
  trainit::Result<void> leave();

 private:
  Ranks(Stream stream, trainit::nccl::Communicator communicator)
      : stream_(std::move(stream)), communicator_(std::move(communicator)) {}
  trainit::Result<void> finish(ncclResult_t result);
  trainit::Result<void> wait(ncclResult_t result);

  Stream stream_;  // outlives the communicator
  trainit::nccl::Communicator communicator_;
};
