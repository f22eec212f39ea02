#include "together.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/python_text.h"
#include "base/text.h"
#include "coordination/mac.h"
#include "coordination/wire_limits.h"
#include "sys/files.h"
#include "sys/posix.h"

namespace trainit {
namespace {

using coordination::message::Fact;

/// Facts whose values may be secrets, or long.
class Facts {
 public:
  explicit Facts(const coordination::JobKey& key) : key_(key) {}

  /// `shown` is the value as it may be shown. Short ones are compared and shown as they are, any
  /// other by what the key makes of them.
  void add(std::string name, const std::string& value, const std::string& shown) {
    constexpr std::size_t kMostShown = 80;
    if (value == shown && value.size() <= kMostShown) {
      facts_.push_back({std::move(name), value, true});
    } else {
      facts_.push_back({std::move(name), coordination::hmac_sha256(key_.bytes, value), false});
    }
  }
  std::vector<Fact> take() { return std::move(facts_); }

 private:
  const coordination::JobKey& key_;
  std::vector<Fact> facts_;
};

/// A secret that was configured, and by what.
struct ConfiguredKey {
  const char* by = "";
  std::optional<std::string> secret;  ///< nothing: there is none
};

Result<ConfiguredKey> configured_key(const JobContext& context) {
  if (const std::string* value = context.inherited.find("TRAINIT_JOB_KEY"))
    return ConfiguredKey{"TRAINIT_JOB_KEY", *value};
  const std::string& path = context.options.job_key_file;
  if (path.empty()) return ConfiguredKey();
  const auto text = sys::read_file(path);
  if (!text) return fail("--job-key-file", text.error());
  return ConfiguredKey{"--job-key-file", *text};
}

Result<coordination::JobKey> job_key(const JobContext& context, const Cluster& cluster) {
  const ConfiguredKey configured = TRAINIT_TRY(configured_key(context));
  const std::string* arn = context.inherited.find("TRAINING_JOB_ARN");
  auto key = coordination::JobKey::of(configured.secret, context.job.name,
                                      arn == nullptr ? "" : *arn, cluster.hosts);
  if (!key) return fail(configured.by, key.error());
  return key;
}

/// How little it takes to know what the hosts of a job without a secret know.
std::string unguarded_text(const JobContext& context, const Cluster& cluster) {
  if (!context.job.name.empty()) {
    return "the hosts know each other by the job's name alone, which keeps strays out but no "
           "attacker: a secret in TRAINIT_JOB_KEY does";
  }
  return fmt::format(
      "the job has no name and no TRAINIT_JOB_KEY: hosts of another one are let in that has {}",
      cluster.named ? "hosts of the same names" : "as many");
}

constexpr std::size_t kMostDirectories = 8;  ///< one in the other
/// So many names are looked at, be it only to count them.
constexpr std::size_t kMostCounted = 10'000;

/// Gathers what is in a model directory, up to what a message takes, and a little at a time: where
/// a file system is slow, a look at each of many files may take longer than others wait for a sign
/// of life.
class ModelWalk {
 public:
  explicit ModelWalk(const std::string& directory) { enter(directory, ""); }

  /// Goes on for so long, and one look more. Whether there is nothing left to look at.
  bool go_on(sys::Duration time) {
    const sys::TimePoint latest = sys::Clock::now() + time;
    while (!open_.empty() && found_.count < kMostCounted) {
      look();
      if (sys::Clock::now() >= latest) break;
    }
    return open_.empty() || found_.count == kMostCounted;
  }
  ModelFiles take() {
    found_.all = open_.empty();
    return std::move(found_);
  }

 private:
  struct Directory {
    std::string path, prefix;
    std::vector<std::string> names;
    std::size_t next = 0;
  };

  void enter(const std::string& path, const std::string& prefix) {
    auto names = sys::list_directory(path);
    if (names) open_.push_back({path, prefix, std::move(*names)});
  }
  /// No link is followed: what it leads to is no file of the model's own.
  void look() {
    Directory& directory = open_.back();
    if (directory.next == directory.names.size()) return open_.pop_back();
    const std::string& name = directory.names[directory.next++];
    const std::string path = sys::join_path(directory.path, name);
    struct stat status = {};
    if (posix::lstat(path.c_str(), &status) != 0) return;
    const bool is_directory = S_ISDIR(status.st_mode);
    const std::string relative = directory.prefix + name;
    if (is_directory && open_.size() < kMostDirectories) return enter(path, relative + "/");
    add(relative, is_directory);
  }
  /// What lies too deep is only counted: the names of directories may be the same.
  void add(std::string name, bool too_deep) {
    ++found_.count;
    if (too_deep || full_) return;
    bytes_ += sizeof(std::uint32_t) + name.size();  // as a message counts them
    full_ = found_.names.size() == coordination::kModelLimits.items ||
            bytes_ > coordination::kModelLimits.bytes;
    if (!full_) found_.names.push_back(std::move(name));
  }

  std::vector<Directory> open_;  ///< one in the other
  ModelFiles found_;
  std::size_t bytes_ = 0;
  bool full_ = false;
};

}  // namespace

coordination::message::Report host_report(const JobContext& context, const Preparation& preparation,
                                          const coordination::JobKey& key) {
  Facts facts(key);
  facts.add("the version of trainit", TRAINIT_VERSION, TRAINIT_VERSION);
  const std::vector<std::string>& argv = preparation.command.argv;
  facts.add("the program", join(argv, " "), join(context.secrets.mask_arguments(argv), " "));
  const std::string ranks = preparation.ranks ? "they do" : "they do not";
  facts.add("whether workers get ranks", ranks, ranks);
  const std::string restarts = std::to_string(context.options.max_restarts);
  facts.add("--max-restarts", restarts, restarts);
  for (const auto& [name, value] : context.job.hyperparameters.user()) {
    facts.add(fmt::format("the hyperparameter \"{}\"", name), python::str(value),
              python::str(context.secrets.mask_json(name, value)));
  }
  coordination::message::Report report;
  report.slots = preparation.workers;
  report.facts = facts.take();
  return report;
}

Result<std::unique_ptr<coordination::Peers>> open_peers(sys::EventLoop& loop,
                                                        const JobContext& context,
                                                        const Preparation& preparation,
                                                        bool takes_part, const Logger& log) {
  const Cluster& cluster = preparation.cluster;
  coordination::Peers::Setup setup;
  setup.hosts = cluster.hosts;
  setup.host_rank = cluster.host_rank;
  setup.leader = cluster.leader;
  setup.named = cluster.named;
  setup.key = TRAINIT_TRY(job_key(context, cluster));
  if (takes_part) setup.report = host_report(context, preparation, setup.key);
  setup.control_port = context.options.control_port;
  setup.limits.meet = context.options.meet_timeout;
  setup.common = preparation.agreement;
  setup.restarts = restart_limits(context.options);
  setup.listener = preparation.control ? &*preparation.control : nullptr;
  if (!setup.key.secret) log.info("{}", unguarded_text(context, cluster));
  return coordination::Peers::open(
      loop, std::move(setup),
      {.info = [&log](const std::string& sentence) { log.info("{}", sentence); },
       .warning = [&log](const std::string& sentence) { log.warning("{}", sentence); }});
}

diagnose::RestartLimits restart_limits(const Options& options) {
  return {.most = options.max_restarts,
          .never_after = options.no_restart_exit_codes,
          .min_uptime = options.min_uptime,
          .delay = options.restart_delay};
}

void withdraw(coordination::Peers& peers, const Error& why, const Options& options,
              const Logger& log, sys::Duration patience) {
  peers.withdraw(
      {log.masked(why.message), why.exit_code},
      [&options] { return pending_stop(options).has_value(); }, patience);
}

diagnose::Judgement judgement_of(const diagnose::Verdict& verdict, const diagnose::HostEnd& own) {
  diagnose::Judgement judgement = diagnose::judge({&own, 1});
  judgement.verdict = verdict;
  diagnose::FirstCause& cause = judgement.cause;
  const auto is_cause = [&](const diagnose::Evidence& evidence) {
    return verdict.cause_host == own.host_rank && evidence.rank == verdict.cause_rank;
  };
  if (cause.evidence != nullptr && is_cause(*cause.evidence)) return judgement;
  cause.rival = nullptr;
  if (cause.evidence != nullptr)
    cause.consequences.insert(cause.consequences.begin(), cause.evidence);
  cause.evidence = nullptr;
  for (const diagnose::Evidence& evidence : own.evidence) {
    if (!is_cause(evidence)) continue;
    cause.evidence = &evidence;
    std::erase(cause.consequences, &evidence);
  }
  return judgement;
}

ModelFiles model_files(sys::EventLoop& loop, const Paths& paths,
                       const std::function<bool()>& given_up) {
  constexpr auto kAtOnce = std::chrono::milliseconds(20);
  constexpr auto kMostTime = std::chrono::seconds(2);
  const sys::TimePoint latest = sys::Clock::now() + kMostTime;
  ModelWalk walk(paths.model);
  while (!walk.go_on(kAtOnce) && !given_up() && sys::Clock::now() < latest)
    loop.run_once(sys::Duration::zero());
  return walk.take();
}

std::string uncompared_text(const ModelFiles& files) {
  if (files.all && files.names.size() == files.count) return {};
  return fmt::format(
      "only {} of {}{} names in the model directory are compared with those of the other hosts",
      files.names.size(), files.all ? "" : "more than ", files.count);
}

std::string model_place(const Paths& paths) {
  struct stat status = {};
  if (posix::stat(paths.model.c_str(), &status) != 0) return {};
  const auto machine = sys::read_file("/proc/sys/kernel/random/boot_id");
  if (!machine) return {};
  return fmt::format("{} {} {}", trim(*machine), status.st_dev, status.st_ino);
}

}  // namespace trainit
