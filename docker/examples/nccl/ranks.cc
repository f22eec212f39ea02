#include "ranks.h"

#include <chrono>
#include <cstdlib>
#include <thread>

#include "training.h"

using trainit::Result;

namespace {

/// For what all ranks do together: others may be slower, but not by this much.
constexpr auto kPatience = std::chrono::minutes(5);

/// What NCCL says is nearly always that another rank is gone, and that rank knows why.
template <class Value>
Result<Value> of_others(Result<Value> result) {
  if (!result) result.error().exit_code = kBecauseOfOthers;
  return result;
}

}  // namespace

Result<Ranks> Ranks::meet(std::function<bool()> stop_requested) {
  Stream stream = TRAINIT_TRY(make_stream());
  trainit::nccl::Options options;
  options.timeout = kPatience;
  options.stop_requested = std::move(stop_requested);
  auto communicator = trainit::nccl::Communicator::from_environment(options);
  // Without a launcher there is nobody else to tell why.
  if (std::getenv("RANK") != nullptr) communicator = of_others(std::move(communicator));
  if (!communicator) return tl::unexpected(communicator.error());
  return Ranks(std::move(stream), std::move(*communicator));
}

Result<void> Ranks::leave() { return of_others(communicator_.close()); }

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

Result<void> Ranks::finish(ncclResult_t result) {
  Result<void> finished = wait(result);
  // At once: who frees the device's memory waits for what is still on its way.
  if (!finished) communicator_.abort();
  return finished;
}

/// Until all of it is done. A rank that is gone would be waited for for ever, so NCCL is asked
/// meanwhile.
Result<void> Ranks::wait(ncclResult_t result) {
  TRAINIT_TRY(of_others(communicator_.settle(result)));
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const cudaError_t state = cudaStreamQuery(stream());
    if (state != cudaErrorNotReady) return cuda_result(state, "what the ranks do together");
    cudaGetLastError();  // not ready is an error to it, and would be told after the next kernel
    TRAINIT_TRY(of_others(communicator_.check()));
    if (std::chrono::steady_clock::now() > deadline) {
      return trainit::fail("a step that all ranks do together has not ended within 5 minutes",
                           kBecauseOfOthers);
    }
    std::this_thread::yield();
  }
}
