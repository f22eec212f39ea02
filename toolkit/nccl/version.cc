#include "nccl/version.h"

#include <fmt/core.h>

#include <tuple>

namespace trainit::nccl {
namespace {

struct Version {
  int major, minor, patch;
};

Version version_of(int code) {
  constexpr int kFirstLong = 10'000;
  if (code < kFirstLong) return {code / 1000, code / 100 % 10, code % 100};
  return {code / 10'000, code / 100 % 100, code % 100};
}

}  // namespace

std::string version_text(int code) {
  const Version version = version_of(code);
  return fmt::format("{}.{}.{}", version.major, version.minor, version.patch);
}

Result<void> check_versions(int header, int library, const std::string& library_path) {
  const Version wanted = version_of(header), found = version_of(library);
  if (found.major == wanted.major && found.minor >= wanted.minor) return {};
  return fail(fmt::format(
      "{} is NCCL {}, and the program was compiled with the header of NCCL {}: it needs {}.{} or a "
      "later {}",
      library_path, version_text(library), version_text(header), wanted.major, wanted.minor,
      wanted.major));
}

}  // namespace trainit::nccl
