#pragma once

#include <string>

namespace trainit::coordination {

/// A host's workers among those of the job: their ranks follow each other.
struct HostRanks {
  std::string host;
  int first_rank = 0;
  int workers = 1;
  bool operator==(const HostRanks&) const = default;
};

}  // namespace trainit::coordination
