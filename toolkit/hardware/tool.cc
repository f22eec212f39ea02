#include "hardware/tool.h"

#include <signal.h>

#include "sys/capture.h"
#include "sys/files.h"
#include "sys/unique_fd.h"

namespace trainit::hardware {
namespace {

tl::expected<std::string, sys::SpawnError> find_tool(const Environment& environment,
                                                     const std::string& name,
                                                     const std::string& more_places) {
  const std::string path = environment.get_or("PATH", sys::kDefaultPath);
  return sys::find_executable(name, more_places.empty() ? path : path + ':' + more_places, "");
}

}  // namespace

bool has_tool(const Environment& environment, const std::string& name,
              const std::string& more_places) {
  return find_tool(environment, name, more_places).has_value();
}

Result<std::string> run_tool(const Environment& environment, const std::string& name,
                             std::vector<std::string> arguments, const sys::Patience& patience,
                             const std::string& more_places) {
  sys::SpawnRequest request;
  request.argv = std::move(arguments);
  request.argv.insert(request.argv.begin(), name);
  const auto found = find_tool(environment, name, more_places);
  if (!found) return fail(describe(found.error(), request));
  request.executable = *found;
  return run_quietly(std::move(request), environment, patience);
}

sys::Heard hear_quietly(sys::SpawnRequest request, const Environment& environment,
                        const sys::Patience& patience) {
  const sys::UniqueFd nothing = sys::open_nothing();
  request.environment = environment.to_strings();
  request.stdin_fd = request.stderr_fd = nothing.get();
  request.death_signal = SIGKILL;
  return sys::run_and_hear(std::move(request), patience);
}

Result<std::string> run_quietly(sys::SpawnRequest request, const Environment& environment,
                                const sys::Patience& patience) {
  sys::Heard heard = hear_quietly(std::move(request), environment, patience);
  if (!heard.end) return tl::unexpected(heard.end.error());
  return std::move(heard.text);
}

}  // namespace trainit::hardware
