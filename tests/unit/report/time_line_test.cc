#include "report/time_line.h"

#include "example_record.h"
#include "report/people.h"

using namespace trainit::report;

namespace {

std::vector<std::string> lines_of(std::string_view text, std::optional<int> rank = {}) {
  std::vector<std::string> lines;
  for (const Moment& moment : time_line(story_of(text), rank))
    lines.push_back(moment_text(moment.after) + " " + moment.text);
  return lines;
}

std::string line_of(std::string_view event) {
  const auto lines = lines_of(kStart + std::string(event) + "\n");
  REQUIRE(lines.size() == 2);
  return lines[1].substr(lines[1].find(" s ") + 3);
}

}  // namespace

TEST_CASE("the time line has every event in words, and errors where they were printed") {
  CHECK(lines_of(kRecord) == std::vector<std::string>{
                                 "-1.000 s trainit 0.1.0 began",
                                 "0.000 s rank 0 was started as process 20",
                                 "0.010 s rank 1 was started as process 21",
                                 "0.020 s rank 2 was started as process 22",
                                 "2.400 s rank 1 printed ValueError: loss is nan",
                                 "2.450 s rank 0 printed Connection closed by peer",
                                 "2.500 s rank 1 ended with code 7",
                                 "2.500 s SIGTERM was sent to the workers",
                                 "2.600 s rank 0 ended with code 1",
                                 "2.700 s rank 2 was killed by SIGTERM (termination)",
                                 "2.900 s the job failed, exit code 7",
                             });
}

TEST_CASE("one rank's time line has what is its own and what is nobody's alone") {
  CHECK(lines_of(kRecord, 2) == std::vector<std::string>{
                                    "-1.000 s trainit 0.1.0 began",
                                    "0.020 s rank 2 was started as process 22",
                                    "2.500 s SIGTERM was sent to the workers",
                                    "2.700 s rank 2 was killed by SIGTERM (termination)",
                                    "2.900 s the job failed, exit code 7",
                                });
}

TEST_CASE("a preflight is told by how much it found") {
  CHECK(line_of(R"({"time": 1700000000.5, "event": "check", "areas": [], "findings": []})") ==
        "the preflight found 0 errors and 0 warnings");
  CHECK(
      line_of(
          R"({"time": 1700000000.5, "event": "check", "findings": [{"severity": "error"}, {"severity": "warning"}, {"severity": "warning"}, {"severity": "note"}, 7]})") ==
      "the preflight found 1 error and 2 warnings");
}

TEST_CASE("signals and the steps of a stop are told by whom they reach") {
  struct Row {
    const char* members;
    const char* text;
  };
  const Row rows[] = {
      {R"("event": "signal", "signal": "SIGTERM", "sender": 0)", "SIGTERM came"},
      {R"("event": "signal", "signal": "SIGTERM", "sender": 7)", "SIGTERM came from process 7"},
      {R"("event": "signal", "signal": "SIGUSR1", "to": "workers")",
       "SIGUSR1 came and was passed on to the workers"},
      {R"("event": "stop", "signal": "SIGTERM", "to": "groups")",
       "SIGTERM was sent to the workers' process groups"},
      {R"("event": "stop", "signal": "SIGKILL", "to": "tree", "processes": 1)",
       "SIGKILL was sent to what was left: 1 process"},
      {R"("event": "stop", "signal": "SIGKILL", "to": "tree", "processes": 3)",
       "SIGKILL was sent to what was left: 3 processes"},
      {R"("event": "outcome", "success": true, "exit_code": 0)", "the job succeeded, exit code 0"},
      {R"("event": "checkpoint", "seconds": 74, "of": 110)",
       "the workers had taken 1 min 14 s of 1 min 50 s to end"},
      {R"("event": "xid", "gpu": 3, "xid": 79, "text": "GPU 3 reported XID 79: it fell off the bus")",
       "GPU 3 reported XID 79: it fell off the bus"},
      {R"("event": "gpu_lost", "gpu": 3)", "GPU 3 cannot be reached any more"},
      {R"("event": "weather", "sky": ["grey"], "wind": "5 m/s\u001b[1m")",
       "weather: sky=[\"grey\"] wind=5 m/s\\x1b[1m"},
  };
  for (const Row& row : rows)
    CHECK(line_of(std::string("{\"time\": 1700000001, ") + row.members + "}") == row.text);
}

TEST_CASE("how GPUs fare is no moment of the time line") {
  CHECK(lines_of(kStart + R"({"time": 1700000001, "event": "gpu", "gpus": []})" + "\n").size() ==
        1);
}

TEST_CASE("an error stands before the end of its worker, whatever the clocks say") {
  std::string text = replaced(kRecord, "\"error_after\": 2.4, \"ended_after\": 2.5",
                              "\"error_after\": 2.52, \"ended_after\": 2.52");
  const auto lines = lines_of(text, 1);
  REQUIRE(lines.size() == 6);
  CHECK(lines[2] == "2.500 s rank 1 printed ValueError: loss is nan");
  CHECK(lines[3] == "2.500 s rank 1 ended with code 7");
}

TEST_CASE("an error of a worker whose end is not in the record stands at its own time") {
  const std::string end =
      R"({"time": 1700000003.5, "event": "ended", "rank": 1, "status": "ended with code 7", "code": 7, "max_memory_kib": 2048})";
  const auto lines = lines_of(replaced(kRecord, end + "\n", ""), 1);
  CHECK(lines[2] == "2.400 s rank 1 printed ValueError: loss is nan");
}

TEST_CASE("what several hosts do together is told in words") {
  CHECK(
      line_of(
          R"({"time":1700000001,"event":"hosts","hosts":3,"host_rank":1,"leader":"algo-1","waited":2.1})") ==
      "3 hosts were there, after 2.1 s");
  CHECK(
      line_of(
          R"({"time":1700000001,"event":"hosts_stop","host":"algo-2","reason":"worker failed","text":"rank 5 (pid 32) ended with code 1 after 48 s"})") ==
      "algo-2 stopped all hosts: rank 5 (pid 32) ended with code 1 after 48 s");
  CHECK(
      line_of(
          R"({"time":1700000001,"event":"hosts_stop","host":"algo-2","reason":"host lost","text":"was not heard from for 9 s"})") ==
      "algo-2 was lost: was not heard from for 9 s");
  CHECK(
      line_of(
          R"({"time":1700000001,"event":"hosts_stop","host":"algo-2","reason":"stop","signal":"SIGTERM"})") ==
      "algo-2 was asked to stop with SIGTERM");
}
