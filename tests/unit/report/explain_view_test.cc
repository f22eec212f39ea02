#include "report/explain_view.h"

#include "example_record.h"

using namespace trainit;
using namespace trainit::report;

namespace {

std::string view(std::string_view text, std::optional<int> rank = {}) {
  return explain_view(job_of(text), rank, 0);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE(
    "the whole story has the head, the time line, the commands, the evidence, the variables") {
  const std::string text = view(kRecord);
  CHECK(text.starts_with(R"(algo-1: the job digits failed with exit code 7 after 2.7 s
trainit 0.1.0 began at 2023-11-14 22:13:20 UTC; record /opt/ml/output/data/trainit/algo-1.jsonl

time line, from the start of the first worker
     -1.000 s  trainit 0.1.0 began
      0.000 s  rank 0 was started as process 20
)"));
  CHECK(has(text, R"(
command
  ranks 0, 1: python3 train.py --name 'two words'
  ranks 2: sh -c true
  in /opt/ml/code
  rank 1 on cpus 0-3

evidence
  rank 1: the first cause (exception)
    algo-1 rank 1: ValueError: loss is nan (train.py:6, exit code 7 after 2.5 s)
    error at 2.400 s, end at 2.500 s
    File "train.py", line 6, in <module>
      | Traceback (most recent call last):
      |   File "train.py", line 6, in <module>
      | ValueError: loss is nan
  rank 0: a consequence
    rank 0 had "Connection closed by peer" 0.1 s later: a consequence
    error at 2.450 s, end at 2.600 s
      | Connection closed by peer
  rank 2: it was stopped
    algo-1 rank 2: killed by SIGTERM after 2.7 s
    told to stop at 2.500 s, end at 2.700 s

environment of every worker, by where each value comes from
  hyperparameters.json
    SM_HPS={}
  inherited
    HOME=/root

what differs from worker to worker, in order of rank
  inherited
    EXTRA=– | – | x
  trainit
    RANK=0 | 1 | 2
)"));
}

TEST_CASE("one rank's story is its own alone, with its whole environment") {
  const std::string text = view(kRecord, 1);
  CHECK(has(text, R"(
command
  python3 train.py --name 'two words'
  in /opt/ml/code
  rank 1 on cpus 0-3
)"));
  CHECK(has(text, "rank 1: the first cause"));
  CHECK(text.ends_with(R"(
environment of rank 1, by where each value comes from
  hyperparameters.json
    SM_HPS={}
  inherited
    HOME=/root
  trainit
    RANK=1
)"));
  for (const char* foreign : {"rank 0", "rank 2", "EXTRA", "sh -c"})
    CHECK_FALSE(has(text, foreign));
}

TEST_CASE("a rank is known when one of the records has it") {
  CHECK(knows_rank(job_of(kRecord), 2));
  CHECK_FALSE(knows_rank(job_of(kRecord), 3));
  CHECK_FALSE(knows_rank(JobStory(), 0));
  CHECK(ranks_text(job_of(kRecord)) == "ranks 0–2");
  CHECK(ranks_text(job_of(kStart)) == "no worker");
}

TEST_CASE("what the record could not hold is said") {
  const std::string text = view("{}\n" + kRecord + kStart + "{\"ti\n\n" + kSpawned + "{\"time\": ");
  CHECK(has(text, "1 earlier job in the same record is not shown\n"));
  CHECK(has(text, "1 line of the record cannot be read, the first is line 17\n"));
  CHECK(has(text, "the record's last line is cut off\n"));
  CHECK_FALSE(has(view(kRecord), "record cannot"));
}

TEST_CASE("a very long value is cut for people and whole in JSON") {
  const std::string value(5000, 'v');
  const std::string record =
      replaced(kRecord, "\"value\": \"/root\"", "\"value\": \"" + value + "\"");
  CHECK(
      has(view(record), "HOME=" + std::string(300, 'v') + "… (5000 bytes; --format json has all)"));
  const Json json = explain_json(job_of(record), {});
  const Json& host = json.find("hosts")->array()->at(0);
  CHECK(*host.find("environment")->find("HOME")->find("value")->string() == value);
}

TEST_CASE("as JSON one rank has its whole environment, and all have only what differs") {
  const Json all = explain_json(job_of(kRecord), {});
  const Json one = explain_json(job_of(kRecord), 2);
  const Json& workers = *all.find("hosts")->array()->at(0).find("workers");
  const Json& worker = one.find("hosts")->array()->at(0).find("workers")->array()->at(0);
  CHECK(workers.array()->size() == 3);
  CHECK(workers.array()->at(2).find("environment")->find("HOME") == nullptr);
  CHECK(*worker.find("environment")->find("HOME")->find("origin")->string() == "inherited");
  CHECK(worker.find("argv")->array()->size() == 3);
  CHECK(one.find("hosts")->array()->at(0).find("workers")->array()->size() == 1);
}
