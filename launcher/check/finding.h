#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trainit::check {

/// A note is worth knowing; with a warning the job runs, but not as it should; with an error it
/// fails.
enum class Severity { kNote, kWarning, kError };
std::string_view severity_name(Severity severity);  ///< "note", "warning", "error"

/// One thing that is not as it should be, in three sentences without a full stop.
struct Finding {
  Severity severity = Severity::kNote;
  std::string area;    ///< "gpu", "shm" …
  std::string what;    ///< what was found
  std::string why;     ///< why it matters
  std::string remedy;  ///< what to do
};

/// What was looked at in one area, and what is not well there.
struct AreaReport {
  std::string area;
  std::string text;      ///< what was seen; where it was skipped, why
  bool skipped = false;  ///< nothing was looked at
  std::vector<Finding> findings;

  static AreaReport skip(std::string area, std::string why);
  void add(Severity severity, std::string what, std::string why, std::string remedy);
};

struct Report {
  std::vector<AreaReport> areas;

  /// Worst first, and otherwise as the areas come.
  std::vector<Finding> findings() const;
  std::size_t count(Severity severity) const;
  /// 0: nothing worse than notes, 1: warnings, 2: errors.
  int exit_code() const;
  /// "2 errors, 1 warning"; empty when there is neither.
  std::string troubles() const;
};

}  // namespace trainit::check
