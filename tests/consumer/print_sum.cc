// Adds up the ranks by NCCL, which it does not link.
#include <trainit/nccl.h>

#include <cstdio>

namespace {

trainit::Result<float> sum_of_ranks() {
  auto communicator = TRAINIT_TRY(trainit::nccl::Communicator::from_environment());
  auto* all_reduce = communicator.function<decltype(ncclAllReduce)>("ncclAllReduce");
  const float from = static_cast<float>(communicator.rank());
  float to = -1;
  TRAINIT_TRY(communicator.settle(
      all_reduce(&from, &to, 1, ncclFloat, ncclSum, communicator.get(), nullptr)));
  TRAINIT_TRY(communicator.close());
  return to;
}

}  // namespace

int main() {
  const auto sum = sum_of_ranks();
  if (!sum) std::fprintf(stderr, "%s\n", sum.error().message.c_str());
  if (sum) std::printf("sum %g\n", *sum);
  return sum ? 0 : 1;
}
