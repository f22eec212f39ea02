#pragma once

#include <cuda_runtime_api.h>
#include <trainit/result.h>

#include <memory>
#include <span>
#include <utility>
#include <vector>

/// What a call of the CUDA runtime returned: nothing, or the call and the runtime's own words.
trainit::Result<void> cuda_result(cudaError_t error, const char* call);
#define CUDA_TRY(call) TRAINIT_TRY(cuda_result((call), #call))

/// Makes a device this thread's: that of the local rank, counted anew from the first when there are
/// fewer devices than ranks. Error: there is no device.
trainit::Result<void> use_device(int local_rank);

struct DestroyStream {
  void operator()(cudaStream_t stream) const { cudaStreamDestroy(stream); }
};
using Stream = std::unique_ptr<CUstream_st, DestroyStream>;
trainit::Result<Stream> make_stream();

/// Numbers in the memory of this thread's device.
template <class Number>
class Buffer {
 public:
  static trainit::Result<Buffer> make(std::size_t size) {
    void* memory = nullptr;
    CUDA_TRY(cudaMalloc(&memory, size * sizeof(Number)));
    return Buffer(static_cast<Number*>(memory), size);
  }
  static trainit::Result<Buffer> of(std::span<const Number> values, cudaStream_t stream) {
    Buffer buffer = TRAINIT_TRY(make(values.size()));
    TRAINIT_TRY(buffer.upload(values, stream));
    return buffer;
  }

  Number* data() const { return memory_.get(); }
  std::size_t size() const { return size_; }

  /// Its first numbers become these, when the stream comes to it.
  trainit::Result<void> upload(std::span<const Number> values, cudaStream_t stream) {
    CUDA_TRY(cudaMemcpyAsync(data(), values.data(), values.size_bytes(), cudaMemcpyHostToDevice,
                             stream));
    return {};
  }
  /// Waits for the stream, however long that takes.
  trainit::Result<std::vector<Number>> download(cudaStream_t stream) const {
    return download(0, size_, stream);
  }
  trainit::Result<std::vector<Number>> download(std::size_t first, std::size_t count,
                                                cudaStream_t stream) const {
    std::vector<Number> values(count);
    CUDA_TRY(cudaMemcpyAsync(values.data(), data() + first, count * sizeof(Number),
                             cudaMemcpyDeviceToHost, stream));
    CUDA_TRY(cudaStreamSynchronize(stream));
    return values;
  }

 private:
  struct Free {
    void operator()(Number* memory) const { cudaFree(memory); }
  };
  Buffer(Number* memory, std::size_t size) : memory_(memory), size_(size) {}

  std::unique_ptr<Number, Free> memory_;
  std::size_t size_;
};
