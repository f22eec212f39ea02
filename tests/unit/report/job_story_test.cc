#include "report/job_story.h"

#include "example_record.h"

using namespace trainit::report;

TEST_CASE("the state of a record without an outcome is told by whoever holds its lock") {
  const std::string running = kStart + kSpawned;
  const std::string no_locks = replaced(running, "\"locked\": true", "\"locked\": false");
  struct Row {
    std::string text;
    Writer writer;
    State state;
  };
  const Row rows[] = {
      {kRecord, Writer::kGone, State::kFailed},
      {kRecord, Writer::kAlive, State::kFailed},
      {replaced(kRecord, "\"success\": false", "\"success\": true"), Writer::kGone,
       State::kSucceeded},
      {running, Writer::kAlive, State::kRunning},
      {running, Writer::kGone, State::kKilled},
      {running, Writer::kUnknown, State::kOpen},
      {no_locks, Writer::kGone, State::kOpen},
      {no_locks, Writer::kAlive, State::kRunning},
  };
  for (const Row& row : rows) CHECK(state_of(host_of(row.text, row.writer)) == row.state);
}

namespace {

/// Another host of the job, whose clock shows `shift` whole seconds more.
HostStory other_host(int shift, std::string_view kind = "exception") {
  std::string text = replaced(kRecord, "\"algo-1\", \"job\"", "\"algo-2\", \"job\"");
  text = replaced(text, "\"exception\"", "\"" + std::string(kind) + "\"");
  for (std::size_t at = 0; (at = text.find("17000000", at)) != std::string::npos; at += 8)
    text.replace(at, 10, std::to_string(std::stol(text.substr(at, 10)) + shift));
  return host_of(text);
}

}  // namespace

TEST_CASE("the worker with the evidence of a cause is the culprit") {
  const JobStory job = job_of(kRecord);
  const Culprit culprit = find_culprit(job);
  REQUIRE(culprit.worker != nullptr);
  CHECK(culprit.worker->rank == 1);
  CHECK(culprit.host == job.hosts.data());
  CHECK(find_culprit(job_of(kStart + kSpawned)).worker == nullptr);
  CHECK(find_culprit(JobStory()).worker == nullptr);
}

TEST_CASE("of several hosts' causes the earliest is the culprit, whichever record is read first") {
  for (const int shift : {-1, 1}) {
    JobStory job = job_of(kRecord);
    job.hosts.push_back(other_host(shift));
    CHECK(find_culprit(job).host->story.host == (shift < 0 ? "algo-2" : "algo-1"));
  }
}

TEST_CASE("a nearer kind wins over an earlier time, and an unknown one over none") {
  struct Row {
    int shift;
    const char* kind;
    const char* host;
  };
  const Row rows[] = {{-1, "communication", "algo-1"},
                      {1, "signal", "algo-2"},
                      {1, "gpu", "algo-2"},
                      {1, "out of memory", "algo-2"},
                      {1, "exec failure", "algo-2"},
                      {-1, "a later kind", "algo-1"}};
  for (const Row& row : rows) {
    JobStory job = job_of(kRecord);
    job.hosts.push_back(other_host(row.shift, row.kind));
    CHECK_MESSAGE(find_culprit(job).host->story.host == row.host, row.kind);
  }
}

TEST_CASE("records of an earlier job in the same directory are left out, and that is said") {
  JobStory job = job_of(kRecord);
  job.hosts.push_back(host_of(replaced(replaced(kRecord, "\"job\": \"digits\"", "\"job\": \"old\""),
                                       "1700000000.0", "1600000000.0")));
  keep_last_job(job);
  REQUIRE(job.hosts.size() == 1);
  CHECK(job.hosts[0].story.job == "digits");
  REQUIRE(job.remarks.size() == 1);
  CHECK(job.remarks[0].ends_with("is of an earlier job, old"));
}

TEST_CASE("a failure file is another job's when it has not the length that the record tells") {
  JobStory job = job_of(kRecord);
  CHECK_FALSE(failure_file_is_foreign(job));
  job.failure_file = "/opt/ml/output/failure";
  job.failure_text = std::string(38, 'x');
  CHECK_FALSE(failure_file_is_foreign(job));
  job.failure_text += "x";
  CHECK(failure_file_is_foreign(job));
  job.hosts[0] = host_of(kStart + kSpawned, Writer::kAlive);
  CHECK_FALSE(failure_file_is_foreign(job));
}
