#include "logs/prefix.h"

#include <fmt/core.h>

namespace trainit::logs {
namespace {

Result<std::string> value_of(std::string_view name, const PrefixValues& values) {
  if (name == "rank") return std::to_string(values.rank);
  if (name == "local_rank") return std::to_string(values.local_rank);
  if (name == "host") return values.host;
  if (name == "stream") return std::string(values.stream);
  return fail(
      fmt::format("a prefix can hold {{rank}}, {{local_rank}}, {{host}} and {{stream}}, "
                  "but not {{{}}}; write {{{{ for a brace",
                  name));
}

}  // namespace

Result<std::string> render_prefix(std::string_view format, const PrefixValues& values) {
  std::string text;
  while (!format.empty()) {
    const std::size_t brace = format.find('{');
    text += format.substr(0, brace);
    if (brace == std::string_view::npos) break;
    format.remove_prefix(brace + 1);
    if (format.starts_with('{')) {
      text += '{';
      format.remove_prefix(1);
      continue;
    }
    const std::size_t end = format.find('}');
    if (end == std::string_view::npos) return fail("a prefix has a '{' without its '}'");
    text += TRAINIT_TRY(value_of(format.substr(0, end), values));
    format.remove_prefix(end + 1);
  }
  if (text.find_first_of("\r\n") != std::string::npos)
    return fail("a prefix cannot hold an end of line");
  return text;
}

}  // namespace trainit::logs
