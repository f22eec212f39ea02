#include "recording.h"

#include <algorithm>
#include <cmath>

#include "base/utf8.h"
#include "check/view.h"
#include "diagnose/failure_text.h"
#include "environment/secrets.h"
#include "record_places.h"
#include "report/shared_variables.h"
#include "sys/files.h"
#include "sys/signals.h"

namespace trainit {
namespace {

// An error's block may have 16 KiB. Those of many victims say the same.
constexpr std::size_t kVictimDetailBytes = 2048;

Json list_of(const std::vector<std::string>& words) {
  Json::Array array;
  for (const std::string& word : words) array.emplace_back(word);
  return Json(std::move(array));
}

/// "0-3,8"
std::string cpu_list(const cpu_set_t& cpus) {
  std::string text;
  for (int first = 0; first < CPU_SETSIZE; ++first) {
    if (!CPU_ISSET(first, &cpus)) continue;
    int last = first;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &cpus)) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (last > first) text += "-" + std::to_string(last);
    first = last;
  }
  return text;
}

/// Masked.
Json shown(const report::VariableList& variables, const JobContext& context) {
  return report::variables_to_json(variables,
                                   [&context](std::string_view name, std::string_view value) {
                                     return context.secrets.mask_variable(name, value);
                                   });
}

Json planned_worker(const JobContext& context, const WorkerSpec& worker, const WorkerSpec& first,
                    const report::VariableList& own) {
  Json::Object object{{"rank", Json(worker.rank)}, {"local_rank", Json(worker.local_rank)}};
  if (worker.argv != first.argv)
    object.push_back({"argv", list_of(context.secrets.mask_arguments(worker.argv))});
  if (worker.cpus) object.push_back({"cpus", Json(cpu_list(*worker.cpus))});
  object.push_back({"variables", shown(own, context)});
  return Json(std::move(object));
}

/// An empty directory means our own.
std::string directory_of(const WorkerSpec& worker) {
  return worker.directory.empty() ? sys::working_directory() : worker.directory;
}

std::string_view kind_name(diagnose::CauseClass kind) {
  switch (kind) {
    case diagnose::CauseClass::kExecFailure:
      return "exec failure";
    case diagnose::CauseClass::kOutOfMemory:
      return "out of memory";
    case diagnose::CauseClass::kGpuFault:
      return "gpu";
    case diagnose::CauseClass::kForeignSignal:
      return "signal";
    case diagnose::CauseClass::kException:
      return "exception";
    case diagnose::CauseClass::kCommunication:
      return "communication";
    case diagnose::CauseClass::kStopped:
      break;
  }
  return "stopped";
}

/// Makes the events of all that was gathered.
class EvidenceWriter {
 public:
  EvidenceWriter(const diagnose::FirstCause& cause, sys::TimePoint start)
      : cause_(cause), start_(start) {}

  Json::Object event_of(const diagnose::Evidence& evidence) const {
    Json::Object fields{{"rank", Json(evidence.rank)}};
    add_judgement(evidence, fields);
    if (!evidence.spawn_error) report::add_status(evidence.status, fields);
    if (evidence.oom) fields.push_back({"out_of_memory", Json(true)});
    fields.push_back({"told_to_stop", Json(evidence.stopped_by_us)});
    add_time("told_after", evidence.told_at, fields);
    add_time("error_after", evidence.first_error_at, fields);
    add_time("ended_after", evidence.exited_at, fields);
    if (evidence.error) add_words(evidence, fields);
    return fields;
  }

 private:
  bool is_consequence(const diagnose::Evidence& evidence) const {
    return std::find(cause_.consequences.begin(), cause_.consequences.end(), &evidence) !=
           cause_.consequences.end();
  }

  void add_judgement(const diagnose::Evidence& evidence, Json::Object& fields) const {
    if (&evidence == cause_.evidence) {
      fields.push_back({"class", Json("cause")});
      fields.push_back({"kind", Json(kind_name(cause_.kind))});
      fields.push_back({"text", Json(diagnose::summarize(evidence))});
    } else if (is_consequence(evidence)) {
      fields.push_back({"class", Json("consequence")});
      fields.push_back({"text", Json(text_of_consequence(evidence))});
    } else {
      fields.push_back({"class", Json("stopped")});
      fields.push_back({"text", Json(diagnose::summarize(evidence))});
    }
  }

  std::string text_of_consequence(const diagnose::Evidence& evidence) const {
    if (cause_.evidence == nullptr) return diagnose::summarize(evidence);
    return diagnose::describe_consequence(*cause_.evidence, evidence);
  }

  void add_time(const char* name, sys::TimePoint time, Json::Object& fields) const {
    if (time == sys::TimePoint{}) return;
    const double after = std::chrono::duration<double>(time - start_).count();
    fields.push_back({name, Json(std::round(after * 1000) / 1000)});
  }

  void add_words(const diagnose::Evidence& evidence, Json::Object& fields) const {
    const diagnose::ErrorText& error = *evidence.error;
    fields.push_back({"error", Json(error.summary)});
    fields.push_back({"recognised", Json(!error.only_last_lines())});
    fields.push_back({"communication", Json(error.communication)});
    if (!error.location.empty()) fields.push_back({"location", Json(error.location)});
    if (!error.frame.empty()) fields.push_back({"frame", Json(error.frame)});
    std::string detail = error.detail;
    if (&evidence != cause_.evidence && detail.size() > kVictimDetailBytes)
      detail = "…" + std::string(utf8::last_bytes(detail, kVictimDetailBytes));
    fields.push_back({"detail", Json(std::move(detail))});
  }

  const diagnose::FirstCause& cause_;
  sys::TimePoint start_;
};

/// What the failure file is now, after both we and the program had a chance to write it.
void add_failure_file(const Outcome& outcome, const Paths& paths, Json::Object& fields) {
  const auto text = sys::read_file(paths.failure);
  if (!text) return;
  const char* by = outcome.wrote_failure ? "trainit" : "program";
  fields.push_back(
      {"failure_file", Json(Json::Object{{"by", Json(by)}, {"bytes", Json(text->size())}})});
}

double rounded(double seconds) { return std::round(seconds * 1000) / 1000; }

/// Whether something failed while workers of this host ran.
bool was_cut_short(const diagnose::HostEnd& end) {
  return end.stop_at != sys::TimePoint{} && end.reason != diagnose::StopReason::kPlatform;
}

/// Workers that are stopped because something failed do not train any more.
sys::TimePoint trained_until(const diagnose::HostEnd& end) {
  return was_cut_short(end) ? end.stop_at : end.ended_at;
}

std::string_view reason_name(diagnose::StopReason reason) {
  switch (reason) {
    case diagnose::StopReason::kPlatform:
      return "stop";
    case diagnose::StopReason::kWorkerFailed:
      return "worker failed";
    case diagnose::StopReason::kStoreEnded:
      return "store ended";
    case diagnose::StopReason::kHostLost:
      return "host lost";
    case diagnose::StopReason::kSetUpFailed:
      return "set-up failed";
    case diagnose::StopReason::kNone:
      break;
  }
  return "none";
}

}  // namespace

Result<report::RunRecord> open_record(const JobContext& context,
                                      report::RunRecord::Complain complain) {
  const std::string path = record_path(context);
  if (path.empty()) return report::RunRecord();
  report::RunRecord::Mask mask;
  if (!context.secrets.empty())
    mask = [&context](std::string_view text) { return context.secrets.mask(text); };
  return report::RunRecord::open(path, std::move(mask), std::move(complain));
}

void record_start(const JobContext& context, report::RunRecord& record) {
  record.write("start", {{"version", Json(TRAINIT_VERSION)},
                         {"host", Json(context.job.resources.current_host)},
                         {"job", Json(context.job.name)},
                         {"locked", Json(record.locked())}});
}

void record_meeting(const Preparation& preparation, sys::Duration waited,
                    report::RunRecord& record) {
  const Cluster& cluster = preparation.cluster;
  record.write("hosts", {{"hosts", Json(cluster.host_count())},
                         {"host_rank", Json(cluster.host_rank)},
                         {"leader", Json(cluster.leader)},
                         {"waited", Json(rounded(sys::in_seconds(waited)))}});
}

void record_hosts_stop(const coordination::message::Stop& why, report::RunRecord& record) {
  Json::Object fields{{"host", Json(why.host)}, {"reason", Json(reason_name(why.reason))}};
  if (why.signal != 0) fields.push_back({"signal", Json(sys::signal_name(why.signal))});
  if (!why.text.empty()) fields.push_back({"text", Json(why.text)});
  record.write("hosts_stop", fields);
}

void record_restart(const Conclusion& conclusion, const coordination::message::Again& again,
                    int most, report::RunRecord& record) {
  for (const Json::Object& fields : conclusion.evidence) record.write("evidence", fields);
  record.write("restart", {{"round", Json(again.round)},
                           {"of", Json(most)},
                           {"delay", Json(rounded(sys::in_seconds(again.delay)))},
                           {"exit_code", Json(conclusion.exit_code)},
                           {"failure", Json(conclusion.failure)}});
}

void Ledger::count_round(const diagnose::HostEnd& end) {
  if (started_at == sys::TimePoint{}) started_at = end.started_at;
  if (failed_at != sys::TimePoint{}) restarting += end.started_at - failed_at;
  failed_at = trained_until(end);
  trained += failed_at - end.started_at;
}

void record_ledger(const Ledger& ledger, const diagnose::HostEnd& end, int gpus,
                   report::RunRecord& record) {
  const auto seconds = [](sys::Duration duration) {
    return Json(rounded(std::max(0.0, sys::in_seconds(duration))));
  };
  Json::Object fields{{"gpus", Json(gpus)},
                      {"set_up", seconds(ledger.started_at - ledger.launched_at - ledger.waited)},
                      {"waiting_for_hosts", seconds(ledger.waited)},
                      {"training", seconds(ledger.trained)}};
  if (ledger.restarting.count() > 0) fields.push_back({"restarting", seconds(ledger.restarting)});
  fields.push_back({was_cut_short(end) ? "after_the_failure" : "after_the_end",
                    seconds(ledger.over_at - ledger.failed_at)});
  record.write("ledger", fields);
}

void record_plan(const JobContext& context, const LaunchPlan& plan, report::RunRecord& record) {
  if (!record.kept()) return;
  std::vector<const Environment*> environments;
  environments.reserve(plan.workers.size());
  for (const WorkerSpec& worker : plan.workers) environments.push_back(&worker.environment);
  const report::SharedVariables variables = report::share_variables(environments);
  Json::Object shared;
  shared.push_back({"variables", shown(variables.shared, context)});
  record.write("environment", std::move(shared));
  const WorkerSpec& first = plan.workers[0];
  Json::Array workers;
  for (std::size_t index = 0; index < plan.workers.size(); ++index)
    workers.push_back(planned_worker(context, plan.workers[index], first, variables.own[index]));
  record.write("plan", {{"directory", Json(directory_of(first))},
                        {"argv", list_of(context.secrets.mask_arguments(first.argv))},
                        {"workers", Json(std::move(workers))}});
}

void record_check(const check::Report& report, report::RunRecord& record) {
  record.write("check",
               {{"areas", check::areas_json(report)}, {"findings", check::findings_json(report)}});
}

std::vector<Json::Object> evidence_events(std::span<const diagnose::Evidence> gathered,
                                          const diagnose::FirstCause& cause, sys::TimePoint start) {
  const EvidenceWriter writer(cause, start);
  std::vector<Json::Object> events;
  for (const diagnose::Evidence& evidence : gathered) {
    if (evidence.spawn_error || !evidence.status.success())
      events.push_back(writer.event_of(evidence));
  }
  return events;
}

void record_outcome(const Conclusion& conclusion, const Outcome& outcome, int stop_signal,
                    const Paths* paths, report::RunRecord& record) {
  for (const Json::Object& fields : conclusion.evidence) record.write("evidence", fields);
  Json::Object fields{{"success", Json(outcome.exit_code == 0)},
                      {"exit_code", Json(outcome.exit_code)}};
  if (stop_signal != 0) fields.push_back({"stop_signal", Json(sys::signal_name(stop_signal))});
  fields.push_back({"failure", Json(outcome.failure)});
  if (conclusion.restarts > 0) fields.push_back({"restarts", Json(conclusion.restarts)});
  if (!conclusion.gpus.empty()) fields.push_back({"gpus", Json(conclusion.gpus)});
  if (paths != nullptr) add_failure_file(outcome, *paths, fields);
  record.write("outcome", fields);
}

void record_set_up_failure(const JobContext& context, const std::optional<check::Report>& preflight,
                           std::optional<Ledger> ledger, int gpus, const Outcome& outcome) {
  const Paths& paths = context.job.paths;
  if (context.options.record.empty() && !sys::is_directory(paths.output)) return;
  auto record = open_record(context, {});
  if (!record) return;
  record_start(context, *record);
  if (preflight) record_check(*preflight, *record);
  if (ledger) {
    ledger->started_at = ledger->failed_at = ledger->over_at = sys::Clock::now();
    record_ledger(*ledger, {}, gpus, *record);
  }
  record_outcome({}, outcome, 0, &paths, *record);
}

}  // namespace trainit
