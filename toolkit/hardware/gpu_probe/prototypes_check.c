// Compiled, never linked: does cuda_api.h say what NVIDIA's own headers say?
#include "cuda_api.h"

#define SAME_FUNCTION(real, ours)                                      \
  _Static_assert(__builtin_types_compatible_p(__typeof__(real), ours), \
                 #real " is declared otherwise in this version of CUDA")
#define SAME_NUMBER(real, ours) \
  _Static_assert((int)(real) == (int)(ours), #real " has another value in this version of CUDA")

#ifdef TRAINIT_HAS_CUDA_H
#include <cuda.h>
_Static_assert(__builtin_types_compatible_p(CUdeviceptr, CudaPointer), "CUdeviceptr is another");
SAME_FUNCTION(cuDeviceCanAccessPeer, CudaCanAccessPeer);
SAME_FUNCTION(cuDevicePrimaryCtxRetain, CudaPrimaryContextRetain);
SAME_FUNCTION(cuCtxSetCurrent, CudaContextSetCurrent);
SAME_FUNCTION(cuCtxEnablePeerAccess, CudaEnablePeerAccess);
// Their options are an enumeration, of the same representation.
_Static_assert(__builtin_types_compatible_p(__typeof__(cuModuleLoadDataEx),
                                            CUresult(CUmodule*, const void*, unsigned int,
                                                     CUjit_option*, void**)) &&
                   sizeof(CUjit_option) == sizeof(unsigned int),
               "cuModuleLoadDataEx is declared otherwise in this version of CUDA");
SAME_FUNCTION(cuModuleGetFunction, CudaModuleGetFunction);
SAME_FUNCTION(cuMemGetInfo, CudaMemoryInfo);
SAME_FUNCTION(cuMemAlloc, CudaAllocate);
SAME_FUNCTION(cuMemFree, CudaFree);
SAME_FUNCTION(cuMemcpyHtoD, CudaCopyToDevice);
SAME_FUNCTION(cuMemcpyDtoH, CudaCopyToHost);
SAME_FUNCTION(cuMemcpyDtoDAsync, CudaCopyWithin);
SAME_FUNCTION(cuMemcpyPeerAsync, CudaCopyToPeer);
SAME_FUNCTION(cuStreamCreate, CudaStreamCreate);
SAME_FUNCTION(cuStreamSynchronize, CudaStreamSynchronize);
SAME_FUNCTION(cuEventCreate, CudaEventCreate);
SAME_FUNCTION(cuEventRecord, CudaEventRecord);
SAME_FUNCTION(cuEventSynchronize, CudaEventSynchronize);
SAME_FUNCTION(cuEventElapsedTime, CudaEventElapsedTime);
SAME_FUNCTION(cuLaunchKernel, CudaLaunch);
SAME_NUMBER(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, kCudaMultiprocessorCount);
SAME_NUMBER(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, kCudaPeerAccessAlreadyEnabled);
SAME_NUMBER(CU_JIT_ERROR_LOG_BUFFER, kCudaJitErrorLog);
SAME_NUMBER(CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, kCudaJitErrorLogBytes);
#endif

#ifdef TRAINIT_HAS_NCCL_H
#include <nccl.h>
#define SAME_BUT_ENUMERATIONS(real, ...)                                      \
  _Static_assert(__builtin_types_compatible_p(__typeof__(real), __VA_ARGS__), \
                 #real " is declared otherwise in this version of NCCL")
_Static_assert(sizeof(ncclDataType_t) == sizeof(unsigned int) &&
                   sizeof(ncclRedOp_t) == sizeof(unsigned int),
               "NCCL's enumerations are larger");
SAME_FUNCTION(ncclGetVersion, NcclGetVersion);
SAME_FUNCTION(ncclCommInitAll, NcclInitAll);
SAME_BUT_ENUMERATIONS(ncclAllReduce,
                      ncclResult_t(const void*, void*, size_t, ncclDataType_t, ncclRedOp_t,
                                   struct ncclComm*, struct CUstream_st*));
SAME_FUNCTION(ncclGroupStart, NcclGroup);
SAME_FUNCTION(ncclGroupEnd, NcclGroup);
SAME_FUNCTION(ncclCommDestroy, NcclEndCommunicator);
SAME_FUNCTION(ncclCommAbort, NcclEndCommunicator);
SAME_FUNCTION(ncclGetErrorString, NcclErrorString);
SAME_FUNCTION(ncclGetLastError, NcclLastError);
SAME_NUMBER(ncclFloat, kNcclFloat);
SAME_NUMBER(ncclSum, kNcclSum);
SAME_NUMBER(ncclSuccess, 0);
#endif
