#pragma once

#include <string>
#include <string_view>

#include "sys/event_loop.h"

namespace trainit::hardware {

/// What an error that NVIDIA's driver reports by a number, an XID, says of whose fault it is.
enum class XidKind {
  kUnknown,      ///< not in our table, or nobody can tell
  kProgram,      ///< usually the program's own: a bad address, an exception in a kernel
  kConsequence,  ///< the driver ends what an error before it has left behind
  kNotice,       ///< the hardware wears, and programs go on
  kHardware,     ///< the hardware or the driver has failed under the program
};
struct Xid {
  XidKind kind = XidKind::kUnknown;
  /// What the GPU did, to stand after "it" or "GPU 3": "fell off the bus"; empty when unknown.
  std::string_view did;
};
/// By NVIDIA's catalogue of XIDs; whose fault one is where that names several is as NVIDIA's own
/// device plugin for Kubernetes takes it.
Xid xid_meaning(int number);
/// "program", "consequence", "notice", "hardware", "unknown".
std::string_view xid_kind_name(XidKind kind);

/// An XID that a GPU reported, or that the driver has lost it.
struct GpuFault {
  static constexpr int kLost = 0;

  int gpu = 0;      ///< as a CUDA program numbers it
  std::string pci;  ///< "0000:3b:00.0"; empty when unknown
  int xid = kLost;
  sys::TimePoint at;
};
XidKind kind_of(const GpuFault& fault);
/// Whether a GPU reports this also when it is its neighbour that has failed: the link between them
/// is down then.
bool may_be_anothers(const GpuFault& fault);
/// "GPU 3 fell off the bus (XID 79)", "GPU 3 cannot be reached any more".
std::string describe(const GpuFault& fault);

}  // namespace trainit::hardware
