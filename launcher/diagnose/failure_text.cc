#include "diagnose/failure_text.h"

#include <fmt/core.h>
#include <signal.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/utf8.h"
#include "diagnose/exit_codes.h"
#include "sys/signals.h"

namespace trainit::diagnose {
namespace {

using utf8::shorten;

// The platform shows 1,024 bytes; of these a list of jobs shows the first line, if that is short.
constexpr std::size_t kTextBytes = 1024;
constexpr std::size_t kSummaryBytes = 200;
constexpr std::string_view kCut = "…";

/// One line of valid UTF-8: what a message or a host may hold beyond it would break the file's
/// form.
std::string plain(std::string_view text) { return utf8::one_line(trim(text)); }

std::string name_of(const Evidence& evidence) {
  constexpr std::size_t kHostBytes = 64;
  std::string rank = fmt::format("rank {}", evidence.rank);
  if (evidence.host.empty()) return rank;
  return shorten(plain(evidence.host), kHostBytes) + " " + rank;
}

bool is_at_once(double later) { return later > -0.05 && later < 0.05; }

/// Whether a worker that failed at the same time as the cause did so for a reason of its own.
bool is_of_its_own(const Evidence& evidence, double later) {
  return is_at_once(later) && !evidence.error->communication && !evidence.stopped_by_us;
}

/// "0.2 s later"
std::string distance(double later) {
  if (is_at_once(later)) return "at the same time";
  return human_seconds(later < 0 ? -later : later) + (later < 0 ? " earlier" : " later");
}

/// A summary in three parts, of which the middle one gives way.
std::string fit(std::string_view head, std::string_view middle, std::string_view tail) {
  const std::size_t fixed = head.size() + tail.size();
  std::string line(head);
  line += shorten(middle, fixed < kSummaryBytes ? kSummaryBytes - fixed : 0);
  line += tail;
  return shorten(line, kSummaryBytes);
}

/// "SIGKILL from outside, perhaps out of memory" guesses; the kernel may know better, and so may
/// we.
std::string with_facts(std::string meaning, const Evidence& evidence) {
  const auto replace = [&](std::string_view guess, const std::string& fact) {
    const std::size_t at = meaning.find(guess);
    if (at != std::string::npos) meaning.replace(at, guess.size(), fact);
  };
  if (evidence.oom_ruled_out) replace("perhaps out of memory", "not for want of memory");
  if (evidence.shared_memory > 0)
    replace("perhaps /dev/shm is full", "/dev/shm is " + human_bytes(evidence.shared_memory));
  return meaning;
}

/// "; /dev/shm is 64 MB", when the worker's words speak of shared memory.
std::string shared_memory_note(const Evidence& evidence) {
  if (evidence.shared_memory == 0 || !evidence.error) return {};
  constexpr std::string_view kWords[] = {"bus error", "Bus error", "shared memory", "/dev/shm"};
  const bool speaks_of_it =
      std::any_of(std::begin(kWords), std::end(kWords), [&](std::string_view words) {
        return evidence.error->summary.find(words) != std::string::npos ||
               evidence.error->detail.find(words) != std::string::npos;
      });
  return speaks_of_it ? "; /dev/shm is " + human_bytes(evidence.shared_memory) : "";
}

/// "exit code 137 after 48 s: SIGKILL from outside, perhaps out of memory"
std::string end_with_time(const Evidence& evidence) {
  const std::string time = human_seconds(sys::in_seconds(evidence.after));
  // Where it is known, a guess at it says less.
  const std::string meaning =
      evidence.oom ? std::string()
                   : with_facts(std::string(exit_code_meaning(evidence.status.code)), evidence);
  // It had raised its error before we told it to stop; how it ended then is our doing, not news.
  if (may_be_ended_by_us(evidence)) return "stopped after " + time;
  if (evidence.status.signal != 0) {
    return fmt::format("{} after {}", sys::signal_name(evidence.status.signal), time);
  }
  return fmt::format("exit code {} after {}{}{}", evidence.status.code, time,
                     meaning.empty() ? "" : ": ", meaning);
}

std::string sentence_without_error(const Evidence& evidence) {
  const std::string time = human_seconds(sys::in_seconds(evidence.after));
  const std::string explained = explain(evidence.status);
  const std::size_t colon = explained.find(": ");
  const std::string meaning =
      colon == std::string::npos ? "" : with_facts(explained.substr(colon), evidence);
  if (evidence.status.signal == 0) {
    return fmt::format("ended with code {} after {}{}", evidence.status.code, time, meaning);
  }
  return fmt::format("killed by {} after {}{}", sys::signal_name(evidence.status.signal), time,
                     meaning);
}

std::string its_last_line(std::string_view line) {
  return fmt::format("; its last line: \"{}\"", line);
}

// Of a last line that an error stands beside.
constexpr std::size_t kMostLastLine = 80;

/// It ended with a code of its own after it had said something else than a line about an error:
/// that tells more.
bool ended_in_its_own_words(const Evidence& evidence) {
  return evidence.error && evidence.error->in_passing() && signal_behind(evidence.status) == 0;
}

/// What the worker said, when it is not the cause itself.
std::string said(const Evidence& evidence) {
  if (!evidence.error || evidence.error->summary.empty()) return {};
  const std::string summary = plain(evidence.error->summary);
  if (evidence.error->only_last_lines()) return its_last_line(summary);
  std::string text;
  if (ended_in_its_own_words(evidence))
    text = its_last_line(shorten(plain(evidence.error->last_line), kMostLastLine));
  return text += "; it had printed: " + summary;
}

/// What it said after that error, which it may have survived, in at most `bytes` bytes; empty when
/// hardly anything of it would be left.
std::string said_at_last(const ErrorText& error, std::size_t bytes) {
  constexpr std::size_t kLeastLine = 20;
  const std::size_t words = its_last_line("").size();
  const std::string line = plain(error.last_line);
  const std::size_t room = bytes > words ? std::min(bytes - words, kMostLastLine) : 0;
  if (error.last_words() || room < std::min(line.size(), kLeastLine)) return {};
  return its_last_line(shorten(line, room));
}

/// "out of memory: the kernel killed a process of this worker; the container has 16.0 GB"
std::string out_of_memory(const Evidence& evidence) {
  const bool itself = signal_behind(evidence.status) == SIGKILL;
  return fmt::format(
      "out of memory: the kernel killed {}{}", itself ? "this worker" : "a process of this worker",
      evidence.memory_limit == 0 ? ""
                                 : "; the container has " + human_bytes(evidence.memory_limit));
}

bool failed_by_error(const Evidence& evidence) {
  if (!evidence.error || evidence.error->only_last_lines() || evidence.error->summary.empty())
    return false;
  if (signal_behind(evidence.status) == 0) return true;
  return may_be_ended_by_us(evidence) && evidence.error->last_words();
}

bool leads_with_error(const Evidence& evidence) {
  return failed_by_error(evidence) && !ended_in_its_own_words(evidence);
}

/// "train.py:42, exit code 1 after 48 s"
std::string place_and_end(const Evidence& evidence) {
  constexpr std::size_t kLocationBytes = 60;
  const std::string& location = evidence.error->location;
  const std::string where = location.empty() ? "" : shorten(plain(location), kLocationBytes) + ", ";
  return where + end_with_time(evidence);
}

/// The error in front. What was said after it takes only what the error's own words leave.
std::string error_summary(const std::string& head, const Evidence& evidence) {
  constexpr std::size_t kLeastMessage = 80;
  const std::string message = plain(evidence.error->summary);
  const std::string end = " (" + place_and_end(evidence) + shared_memory_note(evidence) + ")";
  const std::size_t taken = head.size() + std::min(message.size(), kLeastMessage) + end.size();
  const std::size_t left = taken < kSummaryBytes ? kSummaryBytes - taken : 0;
  return fit(head, message, end + said_at_last(*evidence.error, left));
}

/// "GPU 3 fell off the bus (XID 79); the worker: RuntimeError: CUDA error: … (exit code 1 after 48
/// s)"
std::string gpu_summary(const std::string& head, const Evidence& evidence) {
  const std::string fault = head + hardware::describe(*evidence.gpu_fault);
  if (leads_with_error(evidence)) {
    return fit(fault + "; the worker: ", plain(evidence.error->summary),
               " (" + place_and_end(evidence) + ")");
  }
  const std::string verb = evidence.status.signal == 0 ? "; the worker " : "; the worker was ";
  return fit(fault + verb + sentence_without_error(evidence), said(evidence), "");
}

/// The worker's own words under the summary, in at most `bytes`: the end of them, in whole lines
/// where that is possible.
std::string own_block(std::string_view detail, std::size_t bytes) {
  if (detail.size() <= bytes) return std::string(detail);
  const std::string mark = std::string(kCut) + "\n";
  if (bytes <= mark.size()) return {};
  const std::string_view end = utf8::last_bytes(detail, bytes - mark.size());
  const bool at_line = detail[detail.size() - end.size() - 1] == '\n';
  const std::size_t line = at_line ? 0 : end.find('\n') + 1;  // npos + 1 is 0
  return mark + std::string(end.substr(line));
}

std::string with_block(std::string summary, const Evidence& evidence) {
  if (!evidence.error) return summary;
  const std::string detail = utf8::sanitize(evidence.error->detail);
  // One line that the summary holds already tells nothing new.
  if (trim(detail).empty() || summary.find(detail) != std::string::npos) return summary;
  summary += "\n\n";
  return summary += own_block(detail, kTextBytes - summary.size());
}

std::string plain_end(const sys::ExitStatus& status) {
  return status.signal != 0 ? "killed by " + sys::signal_name(status.signal)
                            : fmt::format("ended with code {}", status.code);
}

/// The lines that fit into the failure file; a mark stands for those that do not.
std::string fit_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    if (text.size() + line.size() + kCut.size() + 2 > kTextBytes) return text + std::string(kCut);
    text += line + "\n";
  }
  text.pop_back();
  return text;
}

/// A failure file about the whole job: its first line, then who failed, and how the others ended.
std::string job_text(std::string first_line, std::span<const Evidence* const> gathered) {
  std::vector<std::string> lines{std::move(first_line)};
  std::map<std::string, std::vector<int>> silent;  // ranks by how they ended
  for (const Evidence* evidence : gathered) {
    if (!evidence->spawn_error && evidence->status.success()) continue;
    if (evidence->spawn_error || evidence->oom || failed_by_error(*evidence)) {
      lines.push_back(summarize(*evidence));
    } else {
      silent[plain_end(evidence->status)].push_back(evidence->rank);
    }
  }
  for (const auto& [end, ranks] : silent) lines.push_back(end + ": " + name_ranks(ranks));
  if (lines.size() > 1) lines.insert(lines.begin() + 1, "");
  return fit_lines(lines);
}

std::string at_host(std::string_view host) { return host.empty() ? "" : plain(host) + ": "; }

}  // namespace

std::string summarize(const Evidence& evidence) {
  const std::string head = name_of(evidence) + ": ";
  if (evidence.spawn_error) return fit(head, plain(evidence.spawn_text), "");
  if (evidence.oom) {
    return fit(head + out_of_memory(evidence) + " (" + end_with_time(evidence) + ")",
               said(evidence), "");
  }
  if (evidence.gpu_fault) return gpu_summary(head, evidence);
  if (!leads_with_error(evidence))
    return fit(head + sentence_without_error(evidence), said(evidence), "");
  return error_summary(head, evidence);
}

std::string describe_consequence(const Evidence& cause, const Evidence& consequence) {
  constexpr std::size_t kWordsBytes = 120;
  const auto moment = [](const Evidence& evidence) {
    return evidence.gpu_fault ? evidence.gpu_fault->at : failed_at(evidence);
  };
  const double later = sys::in_seconds(moment(consequence) - moment(cause));
  const std::string time = distance(later);
  const bool same_host = cause.host == consequence.host;
  const std::string who =
      same_host ? fmt::format("rank {}", consequence.rank) : name_of(consequence);
  if (consequence.error && !consequence.error->only_last_lines()) {
    const ErrorText& error = *consequence.error;
    const bool same = cause.error && cause.error->summary == error.summary &&
                      cause.error->last_line == error.last_line;
    if (same) return fmt::format("{} had the same error {}", who, time);
    return fmt::format(
        "{} had \"{}\" {}{}", who,
        shorten(plain(error.last_words() ? error.summary : error.last_line), kWordsBytes), time,
        is_of_its_own(consequence, later) ? "" : ": a consequence");
  }
  return fmt::format("{} {} {}: a consequence", who, sys::describe(consequence.status), time);
}

std::string failure_text(const FirstCause& cause) {
  if (cause.evidence == nullptr) return "the job failed, but none of its workers did by itself";
  std::string summary = summarize(*cause.evidence);
  if (cause.rival != nullptr) summary += "\nor " + summarize(*cause.rival);
  return with_block(std::move(summary), *cause.evidence);
}

std::string stop_text(std::string_view host, int signal, sys::Duration after,
                      std::span<const Evidence* const> gathered) {
  return job_text(
      at_host(host) + fmt::format("stopped by the platform with {} after {}",
                                  sys::signal_name(signal), human_seconds(sys::in_seconds(after))),
      gathered);
}

std::string store_text(std::string_view host, const sys::ExitStatus& status,
                       std::optional<std::int64_t> oom_kills, sys::Duration after,
                       std::span<const Evidence* const> gathered) {
  std::string meaning;
  if (status.signal == SIGKILL && oom_kills != 0)
    meaning = oom_kills ? " (for want of memory)" : " (perhaps for want of memory)";
  return job_text(
      at_host(host) +
          fmt::format("the rendezvous store {}{} after {}: the workers cannot find each "
                      "other any more",
                      describe(status), meaning, human_seconds(sys::in_seconds(after))),
      gathered);
}

std::string lost_text(std::string_view host, std::string_view how, sys::Duration after,
                      std::span<const Evidence* const> gathered) {
  return job_text(at_host(host) + fmt::format("lost: {} (after {})", plain(how),
                                              human_seconds(sys::in_seconds(after))),
                  gathered);
}

std::string told_text(std::string_view host, std::string_view what,
                      std::span<const Evidence* const> gathered) {
  return job_text(fit(at_host(host), plain(what), ""), gathered);
}

}  // namespace trainit::diagnose
