// The few functions of CUDA's runtime that programs here call, for machines without a GPU: a
// device's memory is the host's, and a stream does at once what is put onto it, but is not ready
// when it is first asked, which counts as an error until cudaGetLastError has told it. FAKE_CUDA is
// the number of devices, 1 when it is not set. Memory and streams that are left show to
// LeakSanitizer.
#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>

struct CUstream_st {
  int asked;
};

static cudaError_t last_error = cudaSuccess;

static int devices(void) {
  const char* value = getenv("FAKE_CUDA");
  return value == NULL ? 1 : atoi(value);
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = devices();
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device) {
  return device >= 0 && device < devices() ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaMalloc(void** memory, size_t size) {
  *memory = malloc(size);
  if (*memory == NULL) return cudaErrorMemoryAllocation;
  memset(*memory, 0xff, size);  // not a number, to whoever reads what was never written
  return cudaSuccess;
}

cudaError_t cudaFree(void* memory) {
  free(memory);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
  (void)kind, (void)stream;
  memcpy(to, from, size);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t size, cudaStream_t stream) {
  (void)stream;
  memset(memory, value, size);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int flags) {
  (void)flags;
  *stream = calloc(1, sizeof **stream);
  return *stream != NULL ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  free(stream);
  return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (stream->asked++ % 2 != 0) return cudaSuccess;
  return last_error = cudaErrorNotReady;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  (void)stream;
  return cudaSuccess;
}

cudaError_t cudaGetLastError(void) {
  const cudaError_t error = last_error;
  last_error = cudaSuccess;
  return error;
}

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "an error";
}
