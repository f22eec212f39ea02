#include "together.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/python_text.h"
#include "base/text.h"
#include "coordination/mac.h"
#include "sys/files.h"

namespace trainit {
namespace {

using coordination::message::Fact;

/// A value that is short enough is compared and shown as it is, any other by its digest.
Fact fact_of(std::string name, std::string value) {
  constexpr std::size_t kMostShown = 80;
  if (value.size() <= kMostShown) return {std::move(name), std::move(value), true};
  return {std::move(name), coordination::sha256(value), false};
}

/// The configured secret; nothing: there is none.
Result<std::optional<std::string>> configured_key(const JobContext& context) {
  if (const std::string* value = context.inherited.find("TRAINIT_JOB_KEY")) return *value;
  const std::string& path = context.options.job_key_file;
  if (path.empty()) return std::nullopt;
  const auto text = sys::read_file(path);
  if (!text) return fail("--job-key-file", text.error());
  return *text;
}

}  // namespace

coordination::message::Report host_report(const JobContext& context,
                                          const Preparation& preparation) {
  coordination::message::Report report;
  report.slots = preparation.workers;
  report.ranks = preparation.ranks;
  report.facts.push_back(fact_of("the version of trainit", TRAINIT_VERSION));
  report.facts.push_back(
      fact_of("the program", join(context.secrets.mask_arguments(preparation.command.argv), " ")));
  report.facts.push_back(
      fact_of("whether workers get ranks", preparation.ranks ? "they do" : "they do not"));
  for (const auto& [name, value] : context.job.hyperparameters.user()) {
    report.facts.push_back(fact_of(fmt::format("the hyperparameter \"{}\"", name),
                                   python::str(context.secrets.mask_json(name, value))));
  }
  return report;
}

Result<std::unique_ptr<coordination::Peers>> open_peers(sys::EventLoop& loop,
                                                        const JobContext& context,
                                                        const Preparation& preparation,
                                                        const Logger& log) {
  const Cluster& cluster = preparation.cluster;
  const auto secret = TRAINIT_TRY(configured_key(context));
  const std::string* arn = context.inherited.find("TRAINING_JOB_ARN");
  coordination::Peers::Setup setup;
  setup.hosts = cluster.hosts;
  setup.host_rank = cluster.host_rank;
  setup.leader = cluster.leader;
  setup.named = cluster.named;
  setup.report = host_report(context, preparation);
  setup.key = TRAINIT_TRY(
      coordination::JobKey::of(secret ? std::optional<std::string_view>(*secret) : std::nullopt,
                               context.job.name, arn == nullptr ? "" : *arn, cluster.hosts));
  setup.control_port = context.options.control_port;
  setup.limits.meet = context.options.meet_timeout;
  setup.common = preparation.agreement;
  setup.listener = preparation.control ? &*preparation.control : nullptr;
  if (!setup.key.secret) {
    log.info(
        "the hosts know each other by the job's name alone, which keeps strays out but no "
        "attacker: a secret in TRAINIT_JOB_KEY does");
  }
  return coordination::Peers::open(
      loop, std::move(setup),
      {.info = [&log](const std::string& sentence) { log.info("{}", sentence); },
       .warning = [&log](const std::string& sentence) { log.warning("{}", sentence); }});
}

diagnose::Judgement judgement_of(const diagnose::Verdict& verdict, const diagnose::HostEnd& own) {
  diagnose::Judgement judgement = diagnose::judge({&own, 1});
  judgement.verdict = verdict;
  diagnose::FirstCause& cause = judgement.cause;
  if (cause.evidence != nullptr && cause.evidence->rank == verdict.cause_rank) return judgement;
  cause.rival = nullptr;
  if (cause.evidence != nullptr)
    cause.consequences.insert(cause.consequences.begin(), cause.evidence);
  cause.evidence = nullptr;
  for (const diagnose::Evidence& evidence : own.evidence) {
    if (evidence.rank != verdict.cause_rank) continue;
    cause.evidence = &evidence;
    std::erase(cause.consequences, &evidence);
  }
  return judgement;
}

std::vector<std::string> model_files(const Paths& paths) {
  constexpr std::size_t kMost = 1000;
  auto names = sys::list_directory(paths.model);
  if (!names) return {};
  if (names->size() > kMost) names->resize(kMost);
  return *names;
}

}  // namespace trainit
