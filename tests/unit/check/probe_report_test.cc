#include "check/probe_report.h"

#include <doctest/doctest.h>

using namespace trainit::check;

TEST_CASE("a report of two GPUs is read") {
  const ProbeReport report = parse_probe_report(
      R"({"at":0,"step":"driver"}
{"at":100,"probe":1,"driver":13000,"gpus":2}
{"at":100,"step":"start","gpu":0}
{"at":300,"device":0,"name":"NVIDIA H100 80GB HBM3","free":84000000000,"total":85000000000}
{"at":310,"step":"memory","gpu":0}
{"at":400,"result":"memory","gpu":0,"bytes":805306368,"ns":268435,"wrong":2,"checked":67108864}
{"at":410,"step":"product","gpu":0}
{"at":700,"result":"product","gpu":0,"operations":137438953472,"ns":4000000,"wrong":0,"checked":1}
{"at":710,"step":"copy","gpu":0,"to":1}
{"at":800,"result":"copy","gpu":0,"to":1,"bytes":1000,"ns":0,"wrong":0,"checked":250}
{"at":810,"step":"all-reduce"}
{"at":1900,"nccl":22809}
{"at":2000,"failure":"all-reduce","call":"ncclCommInitAll","code":2,"name":"unhandled system error","message":"no\nspace"}
{"at":2500,"end":true}
)");
  REQUIRE(report.gpus.size() == 1);
  CHECK(report.gpus[0].name == "NVIDIA H100 80GB HBM3");
  CHECK(report.gpus[0].free == 84000000000);
  CHECK(report.gpus[0].total == 85000000000);
  REQUIRE(report.results.size() == 3);
  CHECK(report.results[0].per_second == doctest::Approx(3.0e12));
  CHECK(report.results[0].wrong == 2);
  CHECK(report.results[0].checked == 67108864);
  CHECK(report.results[0].step.text() == "memory of GPU 0");
  CHECK(report.results[1].per_second == doctest::Approx(34.36e12).epsilon(1e-3));
  CHECK(report.results[2].per_second == 0);
  CHECK(report.results[2].step.text() == "copy from GPU 0 to GPU 1");
  REQUIRE(report.failures.size() == 1);
  CHECK(report.failures[0].text == "ncclCommInitAll: unhandled system error (2): no space");
  CHECK(report.failures[0].step.text() == "all-reduce");
  CHECK(report.nccl_version == "2.28.9");
  CHECK(report.seconds == 2.5);
  CHECK(report.complete);
  CHECK_FALSE(report.open);
  CHECK(report.garbage.empty());
}

TEST_CASE("a step without a result is open, and says since when") {
  const ProbeReport report = parse_probe_report(
      "{\"at\":0,\"step\":\"start\",\"gpu\":3}\n"
      "{\"at\":9,\"device\":3,\"name\":\"\",\"free\":1,\"total\":1}\n"
      "{\"at\":1500,\"step\":\"copy\",\"gpu\":3,\"to\":3}\n");
  REQUIRE(report.open);
  CHECK(report.open->text() == "copy within GPU 3");
  CHECK(report.open->began == 1.5);
  CHECK_FALSE(report.complete);
}

TEST_CASE("a driver and a GPU that have started are not open") {
  const std::string driver = "{\"at\":0,\"step\":\"driver\"}\n",
                    start = "{\"at\":2,\"step\":\"start\",\"gpu\":0}\n";
  CHECK(parse_probe_report(driver).open);
  CHECK_FALSE(parse_probe_report(driver + R"({"at":1,"probe":1,"driver":13000,"gpus":1})").open);
  CHECK(parse_probe_report(start).open);
  CHECK_FALSE(
      parse_probe_report(start + R"({"at":3,"device":0,"name":"n","free":1,"total":1})").open);
}

TEST_CASE("a step that has come to something is not open") {
  for (const char* end :
       {R"({"at":2,"failure":"memory","gpu":0,"call":"c","code":1,"name":"","message":""})",
        R"({"at":2,"result":"memory","gpu":0,"bytes":1,"ns":1,"wrong":0,"checked":1})"}) {
    const std::string begin = "{\"at\":1,\"step\":\"memory\",\"gpu\":0}\n";
    CHECK(parse_probe_report(begin).open);
    CHECK_FALSE(parse_probe_report(begin + end).open);
  }
}

TEST_CASE("what is no line of the probe is kept as garbage, and the rest counts") {
  for (const char* line : {
           "NCCL version 2.28.9",
           "[1]",
           "{}",
           R"({"at":1})",
           R"({"at":"1","end":true})",
           R"({"step":"memory","gpu":0})",
           R"({"at":1,"step":7})",
           R"({"at":1,"step":"copy","to":1})",
           R"({"at":1,"step":"memory","gpu":-1})",
           R"({"at":1,"step":"memory","gpu":1025})",
           R"({"at":1,"result":"memory","gpu":0,"bytes":1,"ns":1,"wrong":-1,"checked":1})",
           R"({"at":1,"result":"memory","gpu":0,"ns":1,"wrong":0,"checked":1})",
           R"({"at":1,"device":0,"name":"n","free":1,"total":99999999999999999999})",
           R"({"at":1,"failure":"memory","gpu":0,"call":"c","code":1})",
           R"({"at":1,"nccl":"2.28"})",
       }) {
    CAPTURE(line);
    const ProbeReport report =
        parse_probe_report(std::string(line) + "\n{\"at\":5,\"step\":\"memory\",\"gpu\":1}\n");
    CHECK(report.garbage == line);
    CHECK(report.results.empty());
    CHECK(report.gpus.empty());
    REQUIRE(report.open);
    CHECK(report.open->gpu == 1);
  }
}

TEST_CASE("of several lines of garbage the first is kept, and none has a time") {
  const ProbeReport report = parse_probe_report(
      "{\"at\":1000,\"step\":\"memory\",\"gpu\":0}\nfirst\nsecond\n{\"at\":9000,\"step\":7}\n");
  CHECK(report.garbage == "first");
  CHECK(report.seconds == 1);
}

TEST_CASE("the last GPU that there can be is one") {
  CHECK(parse_probe_report(R"({"at":1,"step":"memory","gpu":1024})").open);
}

TEST_CASE("garbage fits on a line, and is not endless") {
  const ProbeReport report = parse_probe_report("\x1b[1m\xff" + std::string(5000, 'x'));
  CHECK(report.garbage.size() < 400);
  CHECK(report.garbage.find('\x1b') == std::string::npos);
}

TEST_CASE("versions of NCCL before 2.9 have a digit less") {
  CHECK(parse_probe_report(R"({"at":1,"nccl":2708})").nccl_version == "2.7.8");
}
