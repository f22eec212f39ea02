// The helper's other task: the health of all GPUs, in lines of JSON on stdout, from NVIDIA's
// management library. A value that the driver or the GPU does not have is left out.
//
//   {"watch":8,"events":8}                so many GPUs, and of so many we hear XIDs at once
//   {"gpu":0,"pci":"00000000:3B:00.0","uuid":"GPU-…","temperature":61,"power":287000,"busy":97,
//    "used":…,"total":…,"throttle":4,"ecc":0,"remap_pending":0,"remap_failed":0}
//   {"sampled":8}                         the last of such a round, one each interval
//   {"gpu":3,"pci":"…","uuid":"…","xid":79}
//   {"gpu":3,"pci":"…","uuid":"…","lost":1}    the driver cannot reach it any more; once
//   {"error":"nvmlInit_v2","code":9,"message":"Driver Not Loaded"}   it cannot watch, and ends
//
// Power is in milliwatts, "throttle" NVML's mask of reasons, "ecc" the uncorrectable errors since
// the driver was loaded. Each line is one write, shorter than PIPE_BUF.
#pragma once

/// Ends when nobody reads any more, or with us by the death signal; with 0 after an "error".
void watch(unsigned int interval_milliseconds) __attribute__((noreturn));
