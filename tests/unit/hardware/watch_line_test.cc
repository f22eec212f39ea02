#include "hardware/watch_line.h"

#include <doctest/doctest.h>

#include "base/utf8.h"

using namespace trainit;
using namespace trainit::hardware;

namespace {

template <class Kind>
Kind as(std::string_view line) {
  const auto parsed = watch::parse(line);
  REQUIRE(parsed);
  REQUIRE(std::holds_alternative<Kind>(*parsed));
  return std::get<Kind>(*parsed);
}

constexpr std::string_view kSample =
    R"({"gpu":3,"pci":"00000000:3B:00.0","uuid":"GPU-1","temperature":61,"power":287400,"busy":97,)"
    R"("used":1024,"total":4096,"throttle":4,"ecc":2,"remap_pending":1,)"
    R"("remap_failed":0})";

}  // namespace

TEST_CASE("a sample has all that the driver told") {
  const auto sample = as<watch::Sample>(kSample);
  CHECK(sample.device.number == 3);
  CHECK(sample.device.pci == "0000:3b:00.0");
  CHECK(sample.device.uuid == "GPU-1");
  CHECK(sample.temperature == 61);
  CHECK(sample.power == 287);
  CHECK(sample.busy == 97);
  CHECK((sample.memory_used == 1024 && sample.memory_total == 4096));
  CHECK(sample.throttle == 4);
  CHECK(sample.memory_errors == 2);
  CHECK((sample.remap_pending && !sample.remap_failed));
}

TEST_CASE("what the driver does not have is not known") {
  const auto sample = as<watch::Sample>(R"({"gpu":0})");
  CHECK((!sample.temperature && !sample.power && !sample.busy));
  CHECK((sample.device.pci.empty() && sample.memory_total == 0 && sample.memory_errors == 0));
}

TEST_CASE("numbers that no GPU can have are not known") {
  const auto sample = as<watch::Sample>(
      R"({"gpu":0,"temperature":-5,"busy":101,"power":"much","used":1e3,"total":99999999999999999999,)"
      R"("throttle":-1,"ecc":null})");
  CHECK((!sample.temperature && !sample.power && !sample.busy));
  CHECK((sample.memory_used == 0 && sample.memory_total == 0));
  CHECK((sample.throttle == 0 && sample.memory_errors == 0));
}

TEST_CASE("the other lines are told apart") {
  const auto xid = as<watch::Xid>(R"({"gpu":3,"pci":"00000000:3B:00.0","uuid":"","xid":79})");
  CHECK((xid.device.number == 3 && xid.device.pci == "0000:3b:00.0" && xid.number == 79));
  CHECK(as<watch::Lost>(R"({"gpu":3,"pci":"","uuid":"GPU-1","lost":1})").device.uuid == "GPU-1");
  as<watch::Sampled>(R"({"sampled":8})");
  const auto started = as<watch::Started>(R"({"watch":8,"events":7})");
  CHECK((started.gpus == 8 && started.with_events == 7));
}

TEST_CASE("why it cannot watch is a sentence") {
  const auto reason = [](std::string_view line) { return as<watch::CannotWatch>(line).reason; };
  CHECK(reason(R"({"error":"nvmlInit_v2","code":9,"message":"Driver Not Loaded"})") ==
        "nvmlInit_v2: Driver Not Loaded (9)");
  CHECK(reason(R"({"error":"nvmlInit_v2","code":999,"message":""})") == "nvmlInit_v2: error (999)");
  CHECK(reason(R"({"error":"dlopen","code":0,"message":"libnvidia-ml.so.1: no\nsuch file"})") ==
        "libnvidia-ml.so.1: no such file");
  CHECK(reason(R"({"error":"dlopen"})") == "libnvidia-ml.so.1 cannot be loaded");
  CHECK(reason(R"({"error":"dlsym","message":"nvmlInit_v2"})") ==
        "libnvidia-ml.so.1 has no nvmlInit_v2");
}

TEST_CASE("a line that was cut, and what is none, is passed over") {
  for (std::size_t size = 0; size < kSample.size(); ++size)
    CHECK_FALSE(watch::parse(kSample.substr(0, size)));
  for (const char* line :
       {"", "NVIDIA says hello", "[]", "7", "null", "{}", R"({"gpu":-1})", R"({"gpu":"0"})",
        R"({"gpu":99999})", R"({"gpu":0,"xid":-3})", R"({"gpu":0,"xid":0})",
        R"({"gpu":0,"xid":"79"})", R"({"watch":-1})", R"({"temperature":4})"}) {
    CAPTURE(line);
    CHECK_FALSE(watch::parse(line));
  }
}

TEST_CASE("texts fit on a line, whatever they hold") {
  const auto sample = as<watch::Sample>("{\"gpu\":0,\"pci\":\"\\u001b[1m\\n\",\"uuid\":\"" +
                                        std::string(5000, 'x') + "\"}");
  CHECK(sample.device.pci.find('\n') == std::string::npos);
  CHECK(sample.device.uuid.size() < 300);
}
