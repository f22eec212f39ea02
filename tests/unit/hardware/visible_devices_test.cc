#include "hardware/visible_devices.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::hardware;

namespace {

std::vector<Gpu> four(bool with_uuids = true) {
  const char* const uuids[] = {"GPU-aa10", "GPU-aa20", "GPU-bb30", "GPU-cc40"};
  std::vector<Gpu> gpus(4);
  for (int i = 0; i < 4; ++i) {
    gpus[static_cast<std::size_t>(i)].index = i;
    gpus[static_cast<std::size_t>(i)].name = "gpu" + std::to_string(i);
    if (with_uuids) gpus[static_cast<std::size_t>(i)].uuid = uuids[i];
  }
  return gpus;
}

/// The names of what is left, "gpu2 gpu0"; "?" for one taken on trust.
std::string left_by(std::string_view value, std::vector<Gpu> gpus = four(),
                    std::size_t warnings_expected = 0) {
  std::vector<std::string> warnings;
  std::string names;
  int index = 0;
  for (const Gpu& gpu : visible_devices(gpus, value, warnings)) {
    CHECK(gpu.index == index++);
    if (!names.empty()) names += ' ';
    names += gpu.name.empty() ? "?" : gpu.name;
  }
  CHECK(warnings.size() == warnings_expected);
  return names;
}

}  // namespace

TEST_CASE("numbers choose in their order") {
  CHECK(left_by("0,1,2,3") == "gpu0 gpu1 gpu2 gpu3");
  CHECK(left_by("2, 0") == "gpu2 gpu0");
  CHECK(left_by("1gpu,+2") == "gpu1 gpu2");
}

TEST_CASE("the first entry that names no device ends the list") {
  CHECK(left_by("1,7,2") == "gpu1");
  CHECK(left_by("1,-1,2") == "gpu1");
  CHECK(left_by("-1") == "");
  CHECK(left_by("NoDevFiles") == "");
  CHECK(left_by("1,,2") == "gpu1");
  CHECK(left_by("99999999999999999999999") == "");
}

TEST_CASE("devices are named before the first entry that is none on purpose") {
  CHECK(devices_named("0,9,1") == 3);
  CHECK(devices_named("0, 1,-1,2") == 2);
  CHECK(devices_named("GPU-aa,MIG-bb/1/0") == 2);
  CHECK(devices_named("1gpu,+2,") == 2);
  for (const char* none : {"", " ", "-1", "none", "NoDevFiles", "all"})
    CHECK(devices_named(none) == 0);
}

TEST_CASE("an entry that comes twice leaves none") { CHECK(left_by("1,2,1") == ""); }

TEST_CASE("the beginning of a UUID is enough when only one device has it") {
  CHECK(left_by("GPU-bb,GPU-aa1") == "gpu2 gpu0");
  CHECK(left_by("GPU-aa") == "");
  CHECK(left_by("GPU-dd") == "");
}

TEST_CASE("UUIDs are believed where no device has one, and that is said") {
  CHECK(left_by("GPU-aa,GPU-bb", four(false), 1) == "? ?");
  CHECK(left_by("GPU-aa", {}, 0) == "");
}

TEST_CASE("one MIG instance is believed, as CUDA shows no more, and that is said") {
  CHECK(left_by("MIG-1234,MIG-5678", four(), 1) == "?");
}
