#include "report/failure_view.h"

#include <algorithm>

#include "example_record.h"

using namespace trainit;
using namespace trainit::report;

namespace {

constexpr double kNow = 1700000013.0;

std::string view(const JobStory& job) { return failure_view(job, kNow); }

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// The same job without a fault.
std::string well() {
  const std::string text =
      replaced(kStart + kSpawned + kEnded + kOutcome, "\"success\": false, \"exit_code\": 7",
               "\"success\": true, \"exit_code\": 0");
  return replaced(text, ", \"failure_file\": {\"by\": \"trainit\", \"bytes\": 38}", "");
}

}  // namespace

TEST_CASE("a failed job is told by its cause, its consequences and every worker's end") {
  CHECK(view(job_of(kRecord)) ==
        R"(algo-1: the job digits failed with exit code 7 after 2.7 s
first cause: algo-1 rank 1: ValueError: loss is nan (train.py:6, exit code 7 after 2.5 s)
  File "train.py", line 6, in <module>

  Traceback (most recent call last):
    File "train.py", line 6, in <module>
  ValueError: loss is nan

rank 0 had "Connection closed by peer" 0.1 s later: a consequence

  rank  pid  ended    after  peak memory
     0   20  1        2.6 s  1 MB
     1   21  7        2.5 s  2 MB
     2   22  SIGTERM  2.7 s

the whole story: trainit explain
)");
}

TEST_CASE("the first line says how the job stands") {
  struct Row {
    std::string text;
    Writer writer;
    const char* line;
  };
  const std::string one_down = kStart + kPlan + kSpawned + kEnded.substr(0, kEnded.find('\n') + 1);
  const Row rows[] = {
      {well(), Writer::kGone, "succeeded: all 3 workers ended with 0 after 2.7 s"},
      {one_down, Writer::kAlive, "has been running for 12 s: 2 of 3 workers run"},
      {one_down, Writer::kGone,
       "has no outcome: the record ends after 2.5 s, and nobody writes to it any more; trainit was "
       "killed, or its machine was lost"},
      {one_down, Writer::kUnknown,
       "has no outcome: the record ends after 2.5 s; either the job still runs, or trainit was "
       "killed"},
      {kStart + kOutcome, Writer::kGone, "failed with exit code 7 before any worker was started"},
      {replaced(kRecord, "\"exit_code\"", "\"stop_signal\": \"SIGTERM\", \"exit_code\""),
       Writer::kGone, "was told to stop with SIGTERM and failed with exit code 7 after 2.7 s"},
  };
  for (const Row& row : rows) {
    const std::string line = headline(host_of(row.text, row.writer), kNow);
    CHECK(line == std::string("algo-1: the job digits ") + row.line);
  }
}

TEST_CASE("a worker whose end nobody saw is not said to have ended") {
  const std::string text = kStart + kPlan + kSpawned.substr(0, kSpawned.find('\n') + 1);
  const std::string killed = view(job_of(text, Writer::kGone));
  CHECK(has(killed, "     0   20  not seen   0.0 s\n     1    -  never ran"));
  const std::string running = view(job_of(text, Writer::kAlive));
  CHECK(has(running, "     0   20  runs     0:12\n     1    -  not yet"));
}

TEST_CASE("where nobody is the cause the verdict stands") {
  const std::string text = view(job_of(kStart + kOutcome));
  CHECK(has(text, "\n  algo-1 rank 1: ValueError: loss is nan\n"));
  CHECK_FALSE(has(text, "first cause"));
}

TEST_CASE("a success has no table") { CHECK_FALSE(has(view(job_of(well())), "peak memory")); }

TEST_CASE("a failure file is shown when it says more than the record") {
  struct Row {
    std::string record;
    std::size_t bytes;
    const char* title;  ///< null: it is not shown
  };
  const std::string by_program = replaced(kRecord, "\"by\": \"trainit\"", "\"by\": \"program\"");
  const Row rows[] = {
      {kRecord, 38, nullptr},
      {by_program, 38, "/o/failure, which the program wrote itself, says:"},
      {kStart + kSpawned, 38, "/o/failure, which the program wrote itself, says:"},
      {kRecord, 40,
       "/o/failure says something else, perhaps of a later job that failed before it had a "
       "record:"},
      {well(), 40,
       "/o/failure says something else, perhaps of a later job that failed before it had a "
       "record:"},
  };
  for (const Row& row : rows) {
    JobStory job = job_of(row.record);
    job.failure_file = "/o/failure";
    job.failure_text = std::string(row.bytes, 'x');
    const std::string text = view(job);
    CHECK(has(text, "xxxxxx") == (row.title != nullptr));
    if (row.title != nullptr) CHECK_MESSAGE(has(text, row.title), text);
  }
}

TEST_CASE("without a record the failure file is all there is") {
  JobStory job;
  job.failure_file = "/o/failure";
  job.failure_text = "bad\x1b[1m config\n";
  CHECK(view(job) == "there is no run record; /o/failure says:\n  bad\\x1b[1m config\n");
}

TEST_CASE("without a record the marker of success is all there is") {
  JobStory job;
  job.success_marker = true;
  CHECK(view(job) == "the job succeeded, as its marker says; there is no run record\n");
}

TEST_CASE("a big failure fits on a screen") {
  std::string text = kStart;
  for (int rank = 0; rank < 64; ++rank) {
    const std::string number = std::to_string(rank);
    text +=
        "{\"time\": 1700000001, \"event\": \"spawned\", \"rank\": " + number + ", \"pid\": 9}\n";
    text += "{\"time\": 1700000002, \"event\": \"ended\", \"rank\": " + number +
            ", \"status\": \"ended with code 1\", \"code\": 1}\n";
    std::string detail;
    for (int line = 0; line < 100; ++line) detail += "line " + std::to_string(line) + "\\n";
    text += "{\"time\": 1700000003, \"event\": \"evidence\", \"rank\": " + number +
            ", \"class\": \"" + (rank == 40 ? "cause" : "consequence") + "\", \"text\": \"rank " +
            number + " broke\", \"detail\": \"" + detail + "\"}\n";
  }
  const std::string shown = view(job_of(text + kOutcome));
  CHECK(std::count(shown.begin(), shown.end(), '\n') <= 40);
  CHECK(has(shown, "first cause: rank 40 broke"));
  CHECK(has(shown, "  …\n"));
  CHECK(has(shown, "  line 99\n"));
  CHECK(has(shown, "and 58 more consequences"));
}

TEST_CASE("the place that was typed is the one to type again") {
  JobStory job = job_of(kRecord);
  job.place = "/my jobs/1";
  CHECK(has(view(job), "the whole story: trainit explain '/my jobs/1'\n"));
}

TEST_CASE("as JSON the cause is one of the workers") {
  const Json json = failure_json(job_of(kRecord));
  CHECK(json.find("cause")->find("rank")->to_int64() == 1);
  CHECK(json.find("cause")->find("evidence")->find("kind")->string()->compare("exception") == 0);
  CHECK(*json.find("workers")->array()->at(1).find("ended_after")->to_double() == 2.5);
  CHECK(*json.find("hosts")->array()->at(0).find("state")->string() == "failed");
  CHECK(json.find("failure_file") == nullptr);
  CHECK(failure_json(job_of(well())).find("cause")->is_null());
}
