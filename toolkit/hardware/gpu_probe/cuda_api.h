// What the probe calls of the CUDA driver beside what the helper does (driver_api.h), and of NCCL,
// declared by ourselves as there; prototypes_check.c compares.
#pragma once

#include "hardware/gpu_helper/driver_api.h"

typedef unsigned long long CudaPointer;
struct CUctx_st;
struct CUmod_st;
struct CUfunc_st;
struct CUstream_st;
struct CUevent_st;
struct ncclComm;

enum {
  kCudaMultiprocessorCount = 16,
  kCudaPeerAccessAlreadyEnabled = 704,
  kCudaJitErrorLog = 5,       // CU_JIT_ERROR_LOG_BUFFER
  kCudaJitErrorLogBytes = 6,  // and its size
  kNcclFloat = 7,
  kNcclSum = 0,
};

typedef DriverResult CudaCanAccessPeer(int* can, CudaDevice device, CudaDevice peer);
typedef DriverResult CudaPrimaryContextRetain(struct CUctx_st** context, CudaDevice device);
typedef DriverResult CudaContextSetCurrent(struct CUctx_st* context);
typedef DriverResult CudaEnablePeerAccess(struct CUctx_st* peer, unsigned int flags);
typedef DriverResult CudaModuleLoad(struct CUmod_st** module, const void* image,
                                    unsigned int option_count, unsigned int* options,
                                    void** values);
typedef DriverResult CudaModuleGetFunction(struct CUfunc_st** function, struct CUmod_st* module,
                                           const char* name);
typedef DriverResult CudaMemoryInfo(__SIZE_TYPE__* free, __SIZE_TYPE__* total);
typedef DriverResult CudaAllocate(CudaPointer* pointer, __SIZE_TYPE__ bytes);
typedef DriverResult CudaFree(CudaPointer pointer);
typedef DriverResult CudaCopyToDevice(CudaPointer to, const void* from, __SIZE_TYPE__ bytes);
typedef DriverResult CudaCopyToHost(void* to, CudaPointer from, __SIZE_TYPE__ bytes);
typedef DriverResult CudaCopyWithin(CudaPointer to, CudaPointer from, __SIZE_TYPE__ bytes,
                                    struct CUstream_st* stream);
typedef DriverResult CudaCopyToPeer(CudaPointer to, struct CUctx_st* to_context, CudaPointer from,
                                    struct CUctx_st* from_context, __SIZE_TYPE__ bytes,
                                    struct CUstream_st* stream);
typedef DriverResult CudaStreamCreate(struct CUstream_st** stream, unsigned int flags);
typedef DriverResult CudaStreamSynchronize(struct CUstream_st* stream);
typedef DriverResult CudaEventCreate(struct CUevent_st** event, unsigned int flags);
typedef DriverResult CudaEventRecord(struct CUevent_st* event, struct CUstream_st* stream);
typedef DriverResult CudaEventSynchronize(struct CUevent_st* event);
typedef DriverResult CudaEventElapsedTime(float* milliseconds, struct CUevent_st* begin,
                                          struct CUevent_st* end);
typedef DriverResult CudaLaunch(struct CUfunc_st* function, unsigned int grid_x,
                                unsigned int grid_y, unsigned int grid_z, unsigned int block_x,
                                unsigned int block_y, unsigned int block_z,
                                unsigned int shared_bytes, struct CUstream_st* stream,
                                void** parameters, void** extra);

typedef unsigned int NcclResult;
typedef NcclResult NcclGetVersion(int* version);
typedef NcclResult NcclInitAll(struct ncclComm** communicators, int count, const int* devices);
typedef NcclResult NcclAllReduce(const void* from, void* to, __SIZE_TYPE__ count, unsigned int type,
                                 unsigned int operation, struct ncclComm* communicator,
                                 struct CUstream_st* stream);
typedef NcclResult NcclGroup(void);
typedef NcclResult NcclEndCommunicator(struct ncclComm* communicator);
typedef const char* NcclErrorString(NcclResult result);
typedef const char* NcclLastError(struct ncclComm* communicator);
