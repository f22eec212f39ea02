#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "report/job_story.h"

/// A job of three workers as a launcher writes it down: rank 1 raises, rank 0 loses its connection,
/// rank 2 is told to stop.
inline const std::string kStart =
    R"({"time": 1700000000.0, "event": "start", "version": "0.1.0", "host": "algo-1", "job": "digits", "locked": true}
)";
inline const std::string kPlan =
    R"({"time": 1700000000.1, "event": "environment", "variables": {"HOME": {"value": "/root", "origin": "inherited"}, "SM_HPS": {"value": "{}", "origin": "hyperparameters.json"}}}
{"time": 1700000000.1, "event": "plan", "directory": "/opt/ml/code", "argv": ["python3", "train.py", "--name", "two words"], "workers": [{"rank": 0, "local_rank": 0, "variables": {"RANK": {"value": "0", "origin": "trainit"}}}, {"rank": 1, "local_rank": 1, "cpus": "0-3", "variables": {"RANK": {"value": "1", "origin": "trainit"}}}, {"rank": 2, "local_rank": 2, "argv": ["sh", "-c", "true"], "variables": {"RANK": {"value": "2", "origin": "trainit"}, "EXTRA": {"value": "x", "origin": "inherited"}}}]}
)";
inline const std::string kSpawned =
    R"({"time": 1700000001.0, "event": "spawned", "rank": 0, "pid": 20}
{"time": 1700000001.01, "event": "spawned", "rank": 1, "pid": 21}
{"time": 1700000001.02, "event": "spawned", "rank": 2, "pid": 22}
)";
inline const std::string kEnded =
    R"line({"time": 1700000003.5, "event": "ended", "rank": 1, "status": "ended with code 7", "code": 7, "max_memory_kib": 2048}
{"time": 1700000003.5, "event": "stop", "signal": "SIGTERM", "to": "workers"}
{"time": 1700000003.6, "event": "ended", "rank": 0, "status": "ended with code 1", "code": 1, "max_memory_kib": 1024}
{"time": 1700000003.7, "event": "ended", "rank": 2, "status": "was killed by SIGTERM (termination)", "signal": "SIGTERM", "max_memory_kib": 0}
)line";
inline const std::string kEvidence =
    R"line({"time": 1700000003.8, "event": "evidence", "rank": 0, "class": "consequence", "text": "rank 0 had \"Connection closed by peer\" 0.1 s later: a consequence", "code": 1, "told_to_stop": false, "error_after": 2.45, "ended_after": 2.6, "error": "Connection closed by peer", "recognised": true, "communication": true, "detail": "Connection closed by peer"}
{"time": 1700000003.8, "event": "evidence", "rank": 1, "class": "cause", "kind": "exception", "text": "algo-1 rank 1: ValueError: loss is nan (train.py:6, exit code 7 after 2.5 s)", "code": 7, "told_to_stop": false, "error_after": 2.4, "ended_after": 2.5, "error": "ValueError: loss is nan", "recognised": true, "communication": false, "location": "train.py:6", "frame": "File \"train.py\", line 6, in <module>", "detail": "Traceback (most recent call last):\n  File \"train.py\", line 6, in <module>\nValueError: loss is nan"}
{"time": 1700000003.8, "event": "evidence", "rank": 2, "class": "stopped", "text": "algo-1 rank 2: killed by SIGTERM after 2.7 s", "signal": "SIGTERM", "told_to_stop": true, "told_after": 2.5, "ended_after": 2.7}
)line";
inline const std::string kOutcome =
    R"line({"time": 1700000003.9, "event": "outcome", "success": false, "exit_code": 7, "failure": "algo-1 rank 1: ValueError: loss is nan", "failure_file": {"by": "trainit", "bytes": 38}}
)line";
inline const std::string kRecord = kStart + kPlan + kSpawned + kEnded + kEvidence + kOutcome;

inline trainit::report::RunStory story_of(std::string_view text) {
  auto story = trainit::report::read_run_story(text);
  REQUIRE_MESSAGE(story, (story ? "" : story.error().message));
  return std::move(*story);
}

inline trainit::report::HostStory host_of(
    std::string_view text, trainit::report::Writer writer = trainit::report::Writer::kGone) {
  return {"/opt/ml/output/data/trainit/algo-1.jsonl", story_of(text), writer};
}

inline trainit::report::JobStory job_of(
    std::string_view text, trainit::report::Writer writer = trainit::report::Writer::kGone) {
  trainit::report::JobStory job;
  job.hosts.push_back(host_of(text, writer));
  return job;
}

/// `text` with `from`, which has to be there, replaced by `to`.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}
