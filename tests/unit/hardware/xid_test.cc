#include "hardware/xid.h"

#include <doctest/doctest.h>

using namespace trainit::hardware;

namespace {

GpuFault fault(int xid) { return {3, "0000:3b:00.0", xid, {}}; }

}  // namespace

TEST_CASE("an XID is told in words, with its number") {
  CHECK(describe(fault(79)) == "GPU 3 fell off the bus (XID 79)");
  CHECK(describe(fault(4711)) == "GPU 3 reported XID 4711");
  CHECK(describe(fault(GpuFault::kLost)) == "GPU 3 cannot be reached any more");
}

TEST_CASE("only what the hardware or the driver did is taken for its fault") {
  const auto kind = [](int xid) { return kind_of(fault(xid)); };
  for (const int xid : {48, 62, 64, 74, 79, 94, 95, 119, 120, 140, 158, GpuFault::kLost})
    CHECK(kind(xid) == XidKind::kHardware);
  for (const int xid : {13, 31, 68, 69, 109}) CHECK(kind(xid) == XidKind::kProgram);
  for (const int xid : {43, 45, 154}) CHECK(kind(xid) == XidKind::kConsequence);
  for (const int xid : {61, 63, 92}) CHECK(kind(xid) == XidKind::kNotice);
  for (const int xid : {-1, 1, 32, 999, 4711}) CHECK(kind(xid) == XidKind::kUnknown);
}
