#pragma once

#include <string>

#include "trainit/cluster.h"
#include "trainit/paths.h"

namespace trainit {

/// What to say after a success when no file is in the model directory or below; empty: there is
/// one, or nobody can tell. Of several hosts only the one that has rank 0 says it, and of itself:
/// the others need not have a model.
std::string empty_model_text(const Paths& paths, const Cluster& cluster);

}  // namespace trainit
