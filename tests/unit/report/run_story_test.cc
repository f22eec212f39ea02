#include "report/run_story.h"

#include "example_record.h"

using namespace trainit;
using namespace trainit::report;

TEST_CASE("a record is read back with its workers, their environment and their ends") {
  const RunStory story = story_of(kRecord);
  CHECK(story.host == "algo-1");
  CHECK(story.job == "digits");
  CHECK(story.directory == "/opt/ml/code");
  REQUIRE(story.workers.size() == 3);
  const WorkerStory& second = story.workers.at(1);
  CHECK(second.pid == 21);
  CHECK(second.code == 7);
  CHECK(second.cpus == "0-3");
  CHECK(second.max_memory_kib == 2048);
  CHECK(story.workers.at(2).signal == "SIGTERM");
  REQUIRE(story.outcome);
  CHECK_FALSE(story.outcome->success);
  CHECK(story.outcome->exit_code == 7);
  CHECK(story.outcome->failure_file_bytes == 38);
}

TEST_CASE("what workers share is every worker's, and their own comes on top") {
  const RunStory story = story_of(kRecord);
  const Environment first = story.environment_of(story.workers.at(0));
  CHECK(*first.find("HOME") == "/root");
  CHECK(*first.find("RANK") == "0");
  CHECK(first.variables().at("RANK").origin == "trainit");
  CHECK_FALSE(first.has("EXTRA"));
  CHECK(story.environment_of(story.workers.at(2)).has("EXTRA"));
  CHECK(story.argv_of(story.workers.at(0)).back() == "two words");
  CHECK(story.argv_of(story.workers.at(2)).front() == "sh");
}

TEST_CASE("evidence is read with its part, its times and its words") {
  const RunStory story = story_of(kRecord);
  const EvidenceStory& cause = *story.workers.at(1).evidence;
  CHECK(cause.part == Part::kCause);
  CHECK(cause.kind == "exception");
  CHECK(cause.error_after == 2.4);
  CHECK_FALSE(cause.told_after);
  CHECK(cause.location == "train.py:6");
  CHECK(story.workers.at(0).evidence->part == Part::kConsequence);
  const EvidenceStory& stopped = *story.workers.at(2).evidence;
  CHECK(stopped.part == Part::kStopped);
  CHECK(stopped.told_to_stop);
  CHECK_FALSE(stopped.error_after);
}

TEST_CASE("times count from the start of the first worker") {
  const RunStory story = story_of(kRecord);
  CHECK(story.zero() == 1700000001.0);
  CHECK(story.after(1700000003.5) == 2.5);
  CHECK(story_of(kStart).zero() == 1700000000.0);
}

TEST_CASE("a record cut anywhere is read up to the cut") {
  for (std::size_t size = kStart.size() - 1; size < kRecord.size(); ++size) {
    const auto story = read_run_story(std::string_view(kRecord).substr(0, size));
    REQUIRE_MESSAGE(story, size);
    const bool at_line = kRecord[size] == '\n' || kRecord[size - 1] == '\n';
    CHECK_MESSAGE(story->torn != at_line, size);
    CHECK(story->bad_lines.empty());
    CHECK_FALSE((story->outcome && size + 1 < kRecord.size()));
  }
}

TEST_CASE("a line that a full disk has cut is passed over, and its number is kept") {
  const RunStory story = story_of(kStart + "{\"time\": 17000\n" + kSpawned + "\n[]\n" + kOutcome);
  CHECK(story.bad_lines == std::vector<std::size_t>{2, 7});
  CHECK(story.workers.size() == 3);
  CHECK(story.outcome);
  CHECK_FALSE(story.torn);
}

TEST_CASE("events and members of a later version are kept and do no harm") {
  const RunStory story = story_of(
      kStart + R"({"time": 1700000002, "event": "weather", "sky": ["grey"], "rank": "none"})" +
      "\n" + replaced(kOutcome, "\"success\"", "\"mood\": {\"good\": 1}, \"success\""));
  REQUIRE(story.events.size() == 3);
  CHECK(story.events[1].name == "weather");
  CHECK(story.outcome->exit_code == 7);
}

TEST_CASE("members of another kind than expected are as if they were not there") {
  const RunStory story = story_of(kStart +
                                  R"({"time": 1, "event": "spawned", "rank": "0", "pid": 3}
{"time": 1, "event": "spawned", "rank": -4, "pid": 3}
{"time": 1, "event": "ended", "rank": 99999999999999999999, "status": 3}
{"time": 1, "event": "plan", "argv": "python3", "workers": [3, {"local_rank": 1}, {"rank": 5, "variables": [1]}]}
{"time": 1, "event": "environment", "variables": {"A": "x", "B": {"value": 3}, "C": {"value": "c"}}}
)");
  CHECK(story.workers.size() == 1);
  CHECK(story.workers.at(5).own.variables().empty());
  CHECK(story.argv.empty());
  CHECK(story.shared.variables().size() == 1);
}

TEST_CASE("of several jobs in one record the last is told") {
  const std::string other = replaced(kStart, "digits", "letters");
  const RunStory story = story_of("{\n" + kRecord + kRecord + other + kSpawned);
  CHECK(story.job == "letters");
  CHECK(story.earlier_jobs == 2);
  CHECK_FALSE(story.outcome);
  CHECK(story.argv.empty());
  CHECK(story.bad_lines.empty());
}

TEST_CASE("a file that is no record is refused with the line that shows it") {
  struct Row {
    const char* text;
    const char* message;
  };
  const Row rows[] = {
      {"", "it is empty"},
      {"\n \n", "it is empty"},
      {"\nepoch 1 loss 0.3\n", "line 2, column 1: expected a value, found 'e'"},
      {"[1, 2]\n", "line 1: expected an object, found a list"},
      {"{\"loss\": 0.3}\n{\"loss\": 0.2}\n", "line 1: an object without \"event\""},
      {"{\"event\": \"start\"}\n", "line 1: an object without \"time\""},
      {"{\"time\": 17", "line 1, column 12: "},
  };
  for (const Row& row : rows) {
    const auto story = read_run_story(row.text);
    REQUIRE_FALSE(story);
    CHECK_MESSAGE(story.error().message.starts_with(row.message), story.error().message);
  }
}
