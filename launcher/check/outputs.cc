#include "check/outputs.h"

#include <fmt/core.h>

#include <map>

#include "base/text.h"

namespace trainit::check {
namespace {

constexpr std::uint64_t kLittleSpace = std::uint64_t{1} << 30, kNoSpace = 10 << 20;
constexpr std::uint64_t kFewFiles = 1000, kNoFiles = 10;

bool is_full(const DirectoryFacts& directory) {
  return (directory.blocks > 0 && directory.free < kNoSpace) ||
         (directory.nodes > 0 && directory.free_nodes < kNoFiles);
}

void judge_writing(const OutputFacts& facts, AreaReport& report) {
  for (const DirectoryFacts& one : facts.directories) {
    // One that is full is told of below, with the figures.
    if (one.write_error.empty() || is_full(one)) continue;
    const bool missing = one.looked_at != one.path;
    report.add(facts.on_platform ? Severity::kError : Severity::kWarning,
               missing ? fmt::format("{} is not there, and cannot be made in {}: {}", one.path,
                                     one.looked_at, one.write_error)
                       : fmt::format("{} cannot be written to: {}", one.path, one.write_error),
               "what the job leaves behind goes there",
               "mount it writable, give it to the user that trainit runs as, or set "
               "SAGEMAKER_BASE_DIR");
  }
}

void judge_space(const std::string& where, const DirectoryFacts& one, AreaReport& report) {
  if (one.blocks == 0 || one.free >= kLittleSpace) return;
  report.add(one.free < kNoSpace ? Severity::kError : Severity::kWarning,
             fmt::format("{} of {} are free for {}", human_bytes(one.free), human_bytes(one.blocks),
                         where),
             "a model or a checkpoint that does not fit is lost at the end of the job",
             "make the volume larger (VolumeSizeInGB, --tmpfs size=, the disk of the host), or "
             "remove what is not needed");
}

void judge_nodes(const std::string& where, const DirectoryFacts& one, AreaReport& report) {
  if (one.nodes == 0 || one.free_nodes >= kFewFiles) return;
  report.add(one.free_nodes < kNoFiles ? Severity::kError : Severity::kWarning,
             fmt::format("only {} more files can be made for {} (inodes)", one.free_nodes, where),
             "a file system without inodes takes no file, however much room it has",
             "remove small files, or make the file system with more inodes");
}

/// Directories of one file system share its room.
std::map<std::uint64_t, std::vector<const DirectoryFacts*>> by_device(const OutputFacts& facts) {
  std::map<std::uint64_t, std::vector<const DirectoryFacts*>> devices;
  for (const DirectoryFacts& one : facts.directories) devices[one.device].push_back(&one);
  return devices;
}

std::string paths_of(const std::vector<const DirectoryFacts*>& directories) {
  std::vector<std::string> paths;
  paths.reserve(directories.size());
  for (const DirectoryFacts* one : directories) paths.push_back(one->path);
  return join(paths, ", ");
}

}  // namespace

AreaReport judge_outputs(const OutputFacts& facts) {
  AreaReport report{.area = "outputs", .text = {}, .findings = {}};
  if (!facts.trouble.empty()) {
    report.text = "the job's directories could not be looked at";
    report.add(Severity::kWarning, report.text + ": " + facts.trouble,
               "what the job leaves behind goes there",
               "see whether a file system below them hangs, such as NFS");
    return report;
  }
  judge_writing(facts, report);
  std::vector<std::string> parts;
  for (const auto& [device, directories] : by_device(facts)) {
    const std::string where = paths_of(directories);
    const DirectoryFacts& first = *directories.front();
    parts.push_back(
        first.blocks == 0 ? where : fmt::format("{} ({} free)", where, human_bytes(first.free)));
    judge_space(where, first, report);
    judge_nodes(where, first, report);
  }
  report.text = join(parts, " · ");
  return report;
}

}  // namespace trainit::check
