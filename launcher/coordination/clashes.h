#pragma once

#include <string>
#include <vector>

#include "coordination/message.h"

namespace trainit::coordination {

/// How the part of one host ended.
struct HostPart {
  const std::string& host;  ///< outlives this, as the part does
  const message::Ended& ended;
};

/// A sentence about the files of which several hosts have one of the same name in their model
/// directories, which the platform lays over each other; empty: there are none.
std::string clashes(const std::vector<HostPart>& parts);

}  // namespace trainit::coordination
