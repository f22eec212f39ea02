#include "check/visibility.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "hardware/visible_devices.h"

namespace trainit::check {
namespace {

/// At least one. A comma at the end cuts nothing off, and so begins no entry here.
std::vector<std::string> entries_of(std::string_view value) {
  std::vector<std::string> entries;
  for (const std::string_view entry : split(value, ',')) entries.emplace_back(trim(entry));
  while (entries.size() > 1 && entries.back().empty()) entries.pop_back();
  return entries;
}

bool is_uuid(std::string_view entry) {
  return entry.starts_with("GPU-") || entry.starts_with("MIG-");
}

/// It means a device, be there one or not: not so "", "-1", "none" and Slurm's "NoDevFiles".
bool means_device(std::string_view entry) {
  if (entry.starts_with('+')) entry.remove_prefix(1);
  return is_uuid(entry) || (!entry.empty() && entry[0] >= '0' && entry[0] <= '9');
}

/// One spelling for "0" and "00".
std::string canonical(const std::string& entry) {
  const auto number = parse_number<int>(entry);
  return number ? std::to_string(*number) : entry;
}

/// The first entry that names no device, by the rules of CUDA; nothing: each names one.
std::optional<std::string> first_unknown(const std::vector<std::string>& entries,
                                         const std::vector<Gpu>& all) {
  for (const std::string& entry : entries) {
    std::vector<std::string> warnings;
    if (hardware::visible_devices(all, entry, warnings).empty()) return entry;
  }
  return std::nullopt;
}

void judge_hidden(const VisibilityFacts& facts, AreaReport& report) {
  const std::size_t there = facts.all ? facts.all->size() : 0;
  if (there == 0) return;
  report.add(Severity::kWarning,
             fmt::format("CUDA_VISIBLE_DEVICES={} hides all {} GPUs", *facts.cuda, there),
             "the workers run without a GPU",
             "unset CUDA_VISIBLE_DEVICES, or list the GPUs that are to be used");
}

void judge_unknown(const VisibilityFacts& facts, const std::vector<std::string>& entries,
                   AreaReport& report) {
  if (!facts.all || facts.all->empty()) return;
  const auto unknown = first_unknown(entries, *facts.all);
  if (!unknown) return;
  const bool first = *unknown == entries.front();
  const bool renumbered = facts.nvidia && !is_uuid(*unknown) && *facts.nvidia != "all" &&
                          !facts.nvidia->empty() && *facts.nvidia != "void";
  report.add(first ? Severity::kError : Severity::kWarning,
             fmt::format("CUDA_VISIBLE_DEVICES={} names {}, and this container has {} GPU{}",
                         *facts.cuda, unknown->empty() ? "nothing in one place" : *unknown,
                         facts.all->size(), facts.all->size() == 1 ? "" : "s"),
             first ? "CUDA ends the list there, so the workers see no GPU at all"
                   : "CUDA ends the list there, so the workers see fewer GPUs than it names",
             renumbered
                 ? fmt::format("NVIDIA_VISIBLE_DEVICES={} chose the GPUs of this container, "
                               "and here they count from 0: leave CUDA_VISIBLE_DEVICES unset",
                               *facts.nvidia)
                 : "name GPUs that trainit gpus shows, or leave the variable unset");
}

void judge_form(const VisibilityFacts& facts, const std::vector<std::string>& entries,
                AreaReport& report) {
  const auto uuids = std::count_if(entries.begin(), entries.end(), is_uuid);
  if (uuids > 0 && uuids < static_cast<std::ptrdiff_t>(entries.size())) {
    report.add(Severity::kWarning,
               fmt::format("CUDA_VISIBLE_DEVICES={} has numbers and UUIDs", *facts.cuda),
               "NVIDIA's documents allow a list of the one or of the other",
               "use one of the two forms");
  }
  std::set<std::string> distinct;
  for (const std::string& entry : entries) distinct.insert(canonical(entry));
  if (distinct.size() < entries.size()) {
    report.add(Severity::kError,
               fmt::format("CUDA_VISIBLE_DEVICES={} has an entry twice", *facts.cuda),
               "CUDA shows no GPU at all then", "name each GPU once");
  }
  const auto migs = std::count_if(entries.begin(), entries.end(),
                                  [](const auto& entry) { return entry.starts_with("MIG-"); });
  if (migs > 1 && !facts.isolated) {
    report.add(Severity::kWarning, fmt::format("CUDA_VISIBLE_DEVICES has {} MIG instances", migs),
               "a CUDA program sees the first of them alone",
               "give each job one instance, or use GPUs that are not divided");
  }
}

std::string text_of(const VisibilityFacts& facts) {
  std::string text = facts.cuda ? "CUDA_VISIBLE_DEVICES=" + *facts.cuda
                                : std::string("CUDA_VISIBLE_DEVICES is not set");
  if (facts.nvidia) text += ", NVIDIA_VISIBLE_DEVICES=" + *facts.nvidia;
  text += fmt::format(": workers see {} GPU{}", facts.found, facts.found == 1 ? "" : "s");
  if (facts.cuda && facts.all) text += fmt::format(" of {}", facts.all->size());
  return text;
}

}  // namespace

AreaReport judge_visibility(const VisibilityFacts& facts) {
  AreaReport report{.area = "visibility", .text = text_of(facts), .findings = {}};
  if (facts.cuda) {
    const std::vector<std::string> entries = entries_of(*facts.cuda);
    if (!means_device(entries.front())) {
      judge_hidden(facts, report);
    } else {
      judge_unknown(facts, entries, report);
      judge_form(facts, entries, report);
    }
  }
  if (facts.nvidia && (*facts.nvidia == "none" || *facts.nvidia == "void") && facts.all &&
      !facts.all->empty()) {
    report.add(Severity::kNote,
               fmt::format("NVIDIA_VISIBLE_DEVICES={}, and {} GPUs are there", *facts.nvidia,
                           facts.all->size()),
               "an engine that hands GPUs out by itself sets it so; else NVIDIA's libraries may "
               "not be in the container",
               "nothing, where trainit gpus shows the GPUs that you want");
  }
  if (!facts.empty_mig.empty() && facts.found == 0) {
    report.add(Severity::kWarning,
               fmt::format("MIG seems to be on for {}, without a MIG instance",
                           join(facts.empty_mig, ", ")),
               "CUDA finds no device on a GPU that is divided into nothing",
               "create instances (nvidia-smi mig -cgi … -C) or switch MIG off, on the host");
  }
  return report;
}

}  // namespace trainit::check
