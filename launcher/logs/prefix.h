#pragma once

#include <string>
#include <string_view>

#include "trainit/result.h"

namespace trainit::logs {

/// What a prefix can speak of.
struct PrefixValues {
  int rank = 0;
  int local_rank = 0;
  std::string host;
  std::string_view stream;  ///< "stdout" or "stderr"
};

/// `format` with {rank}, {local_rank}, {host} and {stream} replaced; "{{" is a brace. Error: one
/// sentence that names what is not among these, or a line end, which a prefix cannot have.
Result<std::string> render_prefix(std::string_view format, const PrefixValues& values);

}  // namespace trainit::logs
