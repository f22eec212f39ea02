#include "hardware/xid.h"

#include <fmt/core.h>

#include <algorithm>

namespace trainit::hardware {
namespace {

struct Row {
  int number;
  Xid xid;
};
constexpr Row kRows[] = {
    {13, {XidKind::kProgram, "met an exception in a kernel"}},
    {31, {XidKind::kProgram, "met an access to memory that is not mapped"}},
    {32, {XidKind::kUnknown, "got a broken stream of commands"}},
    {43, {XidKind::kConsequence, "stopped a program's work"}},
    {45, {XidKind::kConsequence, "removed a program's work after an error"}},
    {46, {XidKind::kHardware, "stopped processing"}},
    {48, {XidKind::kHardware, "found an uncorrectable memory error"}},
    {61, {XidKind::kNotice, "had a warning of its microcontroller"}},
    {62, {XidKind::kHardware, "had its microcontroller halt"}},
    {63, {XidKind::kNotice, "marked bad memory for replacement"}},
    {64, {XidKind::kHardware, "could not replace bad memory"}},
    {68, {XidKind::kProgram, "met an exception in its video decoder"}},
    {69, {XidKind::kProgram, "met an error in its graphics engine"}},
    {74, {XidKind::kHardware, "had an NVLink error"}},
    {79, {XidKind::kHardware, "fell off the bus"}},
    {92, {XidKind::kNotice, "corrects many memory errors"}},
    {94, {XidKind::kHardware, "had a memory error that ended the program which met it"}},
    {95, {XidKind::kHardware, "had a memory error that it could not contain"}},
    {109, {XidKind::kProgram, "did not switch between programs in time"}},
    {119, {XidKind::kHardware, "did not answer its driver in time"}},
    {120, {XidKind::kHardware, "had an error in its system processor"}},
    {140, {XidKind::kHardware, "had an unrecovered memory error"}},
    {154, {XidKind::kConsequence, "needs something else now to recover"}},
    {158, {XidKind::kHardware, "ran into a fatal timeout"}},
    {171, {XidKind::kHardware, "found an uncorrectable error in its DRAM"}},
    {172, {XidKind::kHardware, "found an uncorrectable error in its SRAM"}},
};

}  // namespace

Xid xid_meaning(int number) {
  const auto found = std::find_if(std::begin(kRows), std::end(kRows),
                                  [&](const Row& row) { return row.number == number; });
  return found == std::end(kRows) ? Xid() : found->xid;
}

std::string_view xid_kind_name(XidKind kind) {
  switch (kind) {
    case XidKind::kProgram:
      return "program";
    case XidKind::kConsequence:
      return "consequence";
    case XidKind::kNotice:
      return "notice";
    case XidKind::kHardware:
      return "hardware";
    case XidKind::kUnknown:
      break;
  }
  return "unknown";
}

XidKind kind_of(const GpuFault& fault) {
  return fault.xid == GpuFault::kLost ? XidKind::kHardware : xid_meaning(fault.xid).kind;
}

bool may_be_anothers(const GpuFault& fault) {
  constexpr int kNvLink = 74;
  return fault.xid == kNvLink;
}

std::string describe(const GpuFault& fault) {
  if (fault.xid == GpuFault::kLost)
    return fmt::format("GPU {} cannot be reached any more", fault.gpu);
  const std::string_view did = xid_meaning(fault.xid).did;
  if (did.empty()) return fmt::format("GPU {} reported XID {}", fault.gpu, fault.xid);
  return fmt::format("GPU {} {} (XID {})", fault.gpu, did, fault.xid);
}

}  // namespace trainit::hardware
