#pragma once

#include <string_view>

#include "trainit/paths.h"
#include "trainit/result.h"

namespace trainit {

/// The platform shows this many bytes of the failure file.
inline constexpr std::size_t kFailureBytes = 1024;

/// Says why the job failed, for `<output>/failure`, whose first 1,024 bytes the platform shows as
/// the failure reason. Invalid UTF-8 is replaced, the text is cut at a character. A file that is
/// there already is kept, because its writer knew more, unless it is empty or has white space
/// alone: false then. Error: it could not be written, or what is there is no file. A training
/// program calls this and then exits with a code other than 0.
Result<bool> write_failure(const Paths& paths, std::string_view text);

/// Puts an empty `<output>/success` there, and takes away a failure file without a word. Error: it
/// could not be written; the job then counts as failed.
Result<void> write_success(const Paths& paths);

/// Moves a `failure` and a `success` that an earlier job left in this directory to
/// `failure.previous` and `success.previous`; one that cannot be moved is removed. Called once,
/// before the workers. Error: one of them can neither be moved nor removed.
Result<void> set_aside_markers(const Paths& paths);

}  // namespace trainit
