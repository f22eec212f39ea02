#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"

/// What the user that we are may do, and the sentence for what it may not.
namespace trainit::job {

/// Whether the effective user, who is the one that opens files, has this `access` (R_OK, W_OK,
/// X_OK, several joined by |) to `path`; else errno says why not.
bool may(const std::string& path, int access);

/// `PATH: uid 1234 cannot WHAT (mode 0755, owner uid 0); …`, with what to do about it.
tl::unexpected<Error> no_permission(const std::string& path, std::string_view what);

}  // namespace trainit::job
