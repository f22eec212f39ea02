#include "ranks.h"

#include <thread>

using trainit::Result;

namespace {

/// For what all ranks do together: others may be slower, but not by this much.
constexpr auto kPatience = std::chrono::minutes(5);

}  // namespace

Result<Ranks> Ranks::meet(std::function<bool()> stop_requested) {
  Stream stream = TRAINIT_TRY(make_stream());
  trainit::nccl::Options options;
  options.timeout = kPatience;
  options.stop_requested = std::move(stop_requested);
  auto communicator = TRAINIT_TRY(trainit::nccl::Communicator::from_environment(options));
  return Ranks(std::move(stream), std::move(communicator));
}

Result<void> Ranks::add_up(Buffer<float>& numbers) {
  auto* all_reduce = communicator_.function<decltype(ncclAllReduce)>("ncclAllReduce");
  return finish(all_reduce(numbers.data(), numbers.data(), numbers.size(), ncclFloat, ncclSum,
                           communicator_.get(), stream()));
}

Result<void> Ranks::take_over(Buffer<float>& numbers) {
  auto* broadcast = communicator_.function<decltype(ncclBroadcast)>("ncclBroadcast");
  return finish(broadcast(numbers.data(), numbers.data(), numbers.size(), ncclFloat, 0,
                          communicator_.get(), stream()));
}

/// Waits until all of it is done. A rank that is gone would be waited for for ever, so NCCL is
/// asked meanwhile.
Result<void> Ranks::finish(ncclResult_t result) {
  TRAINIT_TRY(communicator_.settle(result));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const cudaError_t state = cudaStreamQuery(stream());
    if (state != cudaErrorNotReady) return cuda_result(state, "what the ranks do together");
    TRAINIT_TRY(communicator_.check());
    if (std::chrono::steady_clock::now() > deadline) {
      return trainit::fail("a step that all ranks do together has not ended within 5 minutes");
    }
    std::this_thread::yield();
  }
}
