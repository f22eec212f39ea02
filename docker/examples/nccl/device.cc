#include "device.h"

#include <string>

using trainit::Result;

Result<void> cuda_result(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return {};
  return trainit::fail(std::string(call) + ": " + cudaGetErrorString(error));
}

Result<void> use_device(int local_rank) {
  int count = 0;
  TRAINIT_TRY(cuda_result(cudaGetDeviceCount(&count), "no CUDA device"));
  if (count == 0) return trainit::fail("no CUDA device: the driver shows none");
  CUDA_TRY(cudaSetDevice(local_rank % count));
  return {};
}

Result<Stream> make_stream() {
  cudaStream_t stream = nullptr;
  CUDA_TRY(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}
