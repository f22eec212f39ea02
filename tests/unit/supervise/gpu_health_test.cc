#include "supervise/gpu_health.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::supervise;
using namespace std::chrono_literals;
namespace watch = hardware::watch;

namespace {

Gpu gpu(int index, std::string pci, std::string uuid = "") {
  Gpu made;
  made.index = index;
  made.pci = std::move(pci);
  made.uuid = std::move(uuid);
  return made;
}

watch::Device device(int number) {
  return {number, "0000:0" + std::to_string(number) + ":00.0", "GPU-" + std::to_string(number)};
}

watch::Sample sample(int number = 0) {
  watch::Sample made;
  made.device = device(number);
  made.temperature = 50;
  made.busy = 90;
  made.power = 300;
  made.memory_total = 1000 << 20;
  made.memory_used = 500 << 20;
  return made;
}

/// Two GPUs of which the job sees the management library's number 1 as its 0, and 0 as its 1.
struct Job {
  std::vector<std::pair<std::string, std::string>> events;  ///< name, members
  std::vector<std::string> warnings;
  sys::TimePoint now{1h};
  GpuHealth health{{gpu(0, "0000:01:00.0"), gpu(1, "0000:00:00.0")},
                   {.record =
                        [this](std::string_view event, const Json::Object& fields) {
                          events.emplace_back(event, dump_json(Json(fields), JsonStyle::kPython));
                        },
                    .warn = [this](const std::string& sentence) { warnings.push_back(sentence); }}};

  void hear(const watch::Line& line) { health.hear(line, now); }
  /// One round, this long after the last; whether it was written.
  bool round(const std::vector<watch::Sample>& samples, std::chrono::seconds after = 10s) {
    now += after;
    const std::size_t before = events.size();
    for (const watch::Sample& one : samples) hear(one);
    hear(watch::Sampled{});
    return events.size() > before;
  }
  std::string summary() const { return dump_json(Json(health.summary()), JsonStyle::kPython); }
};

}  // namespace

TEST_CASE("the first round is written whole, with what does not change later") {
  Job job;
  CHECK(job.round({sample(0), sample(1)}));
  CHECK(
      job.events[0].second ==
      R"({"gpus": [{"gpu": 0, "pci": "0000:01:00.0", "memory_total_mib": 1000, "temperature": 50, )"
      R"("power": 300, "utilisation": 90, "memory_mib": 500}, )"
      R"({"gpu": 1, "pci": "0000:00:00.0", "memory_total_mib": 1000, "temperature": 50, )"
      R"("power": 300, "utilisation": 90, "memory_mib": 500}]})");
  CHECK_FALSE(job.round({sample(0), sample(1)}));
}

TEST_CASE("later a GPU is written when something has changed that a person would notice") {
  struct Row {
    const char* what;
    void (*change)(watch::Sample& sample);
    bool written;
  };
  const Row rows[] = {
      {"4 degrees", [](watch::Sample& s) { s.temperature = 54; }, false},
      {"5 degrees", [](watch::Sample& s) { s.temperature = 45; }, true},
      {"no temperature", [](watch::Sample& s) { s.temperature.reset(); }, true},
      {"9 points", [](watch::Sample& s) { s.busy = 81; }, false},
      {"10 points", [](watch::Sample& s) { s.busy = 100; }, true},
      {"under 1 %", [](watch::Sample& s) { s.memory_used += 9 << 20; }, false},
      {"1 %", [](watch::Sample& s) { s.memory_used -= 10 << 20; }, true},
      {"power", [](watch::Sample& s) { s.power = 100; }, false},
      {"power cap", [](watch::Sample& s) { s.throttle = 4; }, false},
      {"idle", [](watch::Sample& s) { s.throttle = 1; }, false},
      {"heat", [](watch::Sample& s) { s.throttle = 0x20; }, true},
      {"memory errors", [](watch::Sample& s) { s.memory_errors = 1; }, true},
      {"remapping", [](watch::Sample& s) { s.remap_pending = true; }, true},
      {"failed remapping", [](watch::Sample& s) { s.remap_failed = true; }, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.what);
    Job job;
    job.round({sample(0), sample(1)});
    watch::Sample changed = sample(0);
    row.change(changed);
    CHECK(job.round({changed, sample(1)}) == row.written);
    if (row.written) CHECK(job.events[1].second.starts_with(R"({"gpus": [{"gpu": 1, )"));
    if (row.written) CHECK(job.events[1].second.find(R"("gpu": 0)") == std::string::npos);
  }
}

TEST_CASE("a change that comes in small steps is written too") {
  Job job;
  watch::Sample one = sample();
  job.round({one});
  one.temperature = 53;
  CHECK_FALSE(job.round({one}));
  one.temperature = 56;
  CHECK(job.round({one}));
  CHECK_FALSE(job.round({one}));
}

TEST_CASE("a GPU that does not change is written every five minutes") {
  Job job;
  job.round({sample()});
  CHECK_FALSE(job.round({sample()}, 299s));
  CHECK(job.round({sample()}, 1s));
  CHECK_FALSE(job.round({sample()}, 299s));
}

TEST_CASE("an XID goes into the log and the record at once, and each number of a GPU once") {
  Job job;
  job.hear(watch::Xid{device(1), 79});
  job.hear(watch::Xid{device(1), 79});
  job.hear(watch::Xid{device(0), 79});
  job.hear(watch::Xid{device(1), 4711});
  CHECK(job.warnings ==
        std::vector<std::string>{"GPU 0 (0000:01:00.0) reported XID 79: it fell off the bus",
                                 "GPU 1 (0000:00:00.0) reported XID 79: it fell off the bus",
                                 "GPU 0 (0000:01:00.0) reported XID 4711"});
  REQUIRE(job.events.size() == 3);
  CHECK(job.events[0].first == "xid");
  CHECK(job.events[0].second ==
        R"({"gpu": 0, "pci": "0000:01:00.0", "xid": 79, "kind": "hardware", )"
        R"("text": "GPU 0 (0000:01:00.0) reported XID 79: it fell off the bus"})");
  CHECK(job.health.faults().size() == 4);
  CHECK(job.health.remarks() ==
        std::vector<std::string>{"GPU 0 reported XID 79 (2 times), 4711; GPU 1 reported XID 79"});
}

TEST_CASE("faults are kept with their time, and of very many the last") {
  Job job;
  for (int i = 0; i < 1500; ++i) {
    job.now += 1s;
    job.hear(watch::Xid{device(1), 31});
  }
  CHECK_FALSE(job.health.hardware_failed_since({}));
  CHECK(job.health.faults().size() == 1000);
  CHECK(job.health.faults().back().at == job.now);
  job.hear(watch::Xid{device(1), 79});
  CHECK(job.health.hardware_failed_since(job.now));
  CHECK_FALSE(job.health.hardware_failed_since(job.now + 1s));
}

TEST_CASE("a lost GPU is told once, and not after the XID that says the same") {
  Job job;
  job.hear(watch::Lost{device(1)});
  job.hear(watch::Lost{device(1)});
  job.hear(watch::Xid{device(0), 79});
  job.hear(watch::Lost{device(0)});
  CHECK(job.warnings ==
        std::vector<std::string>{"GPU 0 (0000:01:00.0) cannot be reached any more",
                                 "GPU 1 (0000:00:00.0) reported XID 79: it fell off the bus"});
  CHECK(job.events.size() == 3);
  CHECK(job.health.hardware_failed_since(job.now));
}

TEST_CASE("GPUs are known by their address, else by their UUID, else by their number") {
  const auto heard_of = [](std::vector<Gpu> gpus, watch::Device device) {
    std::string which = "none";
    GpuHealth health(
        std::move(gpus),
        {.record = [](auto, auto) {},
         .warn = [&](const std::string& said) { which = said.substr(0, said.find(" reported")); }});
    health.hear(watch::Xid{std::move(device), 79}, {});
    return which;
  };
  CHECK(heard_of({gpu(0, "0000:07:00.0", "GPU-a")}, {0, "0000:08:00.0", "GPU-a"}) == "none");
  CHECK(heard_of({gpu(0, "", "GPU-a"), gpu(1, "", "GPU-b")}, {0, "0000:08:00.0", "GPU-b"}) ==
        "GPU 1 (0000:08:00.0)");
  CHECK(heard_of({gpu(0, ""), gpu(1, "")}, {1, "", ""}) == "GPU 1");
  CHECK(heard_of({}, {0, "", ""}) == "none");
}

TEST_CASE("nothing is said at the end when all was well, and the record has the summary") {
  Job job;
  watch::Sample hot = sample(1);
  hot.temperature = 60;
  hot.busy = 71;
  hot.throttle = 5;
  hot.memory_errors = 3;  // of an earlier job
  job.round({hot});
  job.round({hot}, 100s);
  CHECK(job.health.remarks().empty());
  CHECK(job.summary() ==
        R"([{"gpu": 0, "pci": "0000:01:00.0", "peak_temperature": 60, "peak_memory_mib": 500, )"
        R"("mean_utilisation": 71, "throttled": {"power cap": 100.0}}])");
}

TEST_CASE("who was slowed down for more than a tenth of the time is named at the end, with why") {
  const auto remarks = [](std::uint64_t throttle, int of_ten) {
    Job job;
    job.round({sample(1)});
    for (int i = 0; i < 10; ++i) {
      watch::Sample one = sample(1);
      if (i < of_ten) one.throttle = throttle;
      job.round({one});
    }
    const auto all = job.health.remarks();
    return all.empty() ? std::string() : all.front();
  };
  CHECK(remarks(0x20, 1).empty());
  CHECK(remarks(0x20, 2) == "GPU 0 was slowed down 20 % of the time (too hot)");
  CHECK(remarks(0x48, 5) == "GPU 0 was slowed down 50 % of the time (far too hot)");
  CHECK(remarks(0x8, 5) == "GPU 0 was slowed down 50 % of the time (hardware slowdown)");
  CHECK(remarks(0x80 | 0x20, 5) == "GPU 0 was slowed down 50 % of the time (too hot, power brake)");
  CHECK(remarks(0x4 | 0x1 | 0x2 | 0x10 | 0x100, 10).empty());
}

TEST_CASE("memory errors of the job are told, and those before it are not") {
  Job job;
  watch::Sample one = sample(1);
  one.memory_errors = 3;
  job.round({one});
  CHECK(job.health.remarks().empty());
  one.memory_errors = 4;
  job.round({one});
  CHECK(job.health.remarks() == std::vector<std::string>{"GPU 0 had 1 uncorrectable memory error"});
  CHECK(job.summary().find(R"("memory_errors": 1)") != std::string::npos);
}

TEST_CASE("why nobody can watch is one warning") {
  Job job;
  job.hear(watch::CannotWatch{"nvmlInit_v2: Driver Not Loaded (9)"});
  CHECK(job.warnings == std::vector<std::string>{
                            "the GPUs' health is not watched: nvmlInit_v2: Driver Not Loaded (9)"});
  CHECK(job.health.summary().empty());
}
