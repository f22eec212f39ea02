#pragma once

#include <string>
#include <vector>

#include "coordination/message.h"

namespace trainit::coordination {

/// What one host has brought.
struct HostReport {
  const std::string& host;  ///< outlives this, as the report does
  const message::Report& report;
};

/// In what one of them is not like the first, as a sentence about the first such thing; empty: they
/// are all alike.
std::string difference(const std::vector<HostReport>& reports);

}  // namespace trainit::coordination
