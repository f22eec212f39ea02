#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "environment/host_environment.h"
#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit::environment {

/// Collects variables from Python text. What no process can be given makes the whole an error; what
/// is too long for one is left out.
class VariableWriter {
 public:
  explicit VariableWriter(Contract contract) : contract_(contract) {}

  void text(std::string_view name, std::string_view value, std::string_view origin);
  /// As `variable_text` for the toolkit: for what only the toolkit publishes.
  void toolkit(std::string_view name, const Json& value, std::string_view origin);
  /// In the style of the contract: for what both publish.
  void both(std::string_view name, const Json& value, std::string_view origin);

  using Named =
      std::vector<std::pair<std::string, std::string>>;  ///< names and values, as Python text
  /// PREFIX + upper-cased name for each, and then each name that a shell could not have in a
  /// spelling that it can, unless another's own name is the same. Of equal names the last counts,
  /// of equal spellings one that only replaces dashes, then the last.
  void named(std::string_view prefix, const Named& values, std::string_view origin);

  Result<HostEnvironment> finish() &&;

 private:
  void shell_spellings(const Named& own, std::string_view origin);

  Contract contract_;
  HostEnvironment result_;
  std::optional<Error> first_error_;
};

}  // namespace trainit::environment
