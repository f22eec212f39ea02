// What the probe says: lines of JSON for the launcher on what was its stdout, sentences for people
// on stderr.
//
//   {"at":0,"probe":1,"driver":13000,"gpus":8}                     first
//   {"at":80,"device":0,"name":"NVIDIA H100 …","free":…,"total":…} bytes
//   {"at":90,"step":"memory","gpu":0}                              it begins
//   {"at":120,"result":"memory","gpu":0,"bytes":…,"ns":…,"wrong":0,"checked":…}
//   {"at":120,"failure":"memory","gpu":0,"call":"cuMemAlloc","code":2,"name":"CUDA_ERROR_…"}
//   {"at":900,"end":true}                                          last
//
// "at" is the time in ms since the program began. Of a step between two GPUs the second one is
// "to"; of one of all GPUs there is neither. "operations" stands for "bytes" where numbers are
// multiplied and added up. "wrong" of "checked" numbers were not what they had to be.
#pragma once

/// Lines go where stdout leads until now. What libraries print to stdout goes to stderr from now
/// on.
void begin_report(void);

enum { kNone = -1 };

struct Step {
  const char* name;
  int gpu, to;  // ordinals, or kNone
};

struct Measure {
  const char* of;  // "bytes" or "operations"
  unsigned long long amount, nanoseconds, wrong, checked;
};

/// What went wrong; no call: nothing.
struct Trouble {
  const char* call;     // "cuInit"
  unsigned int code;    // of the library
  const char* name;     // "CUDA_ERROR_NO_DEVICE"; or empty
  const char* message;  // in words; or null
};

/// A line with its first member, "at".
void begin_report_line(void);
void end_report_line(void);

void report_step(const struct Step* step);
void report_result(const struct Step* step, const struct Measure* measure);
void report_failure(const struct Step* step, const struct Trouble* trouble);
