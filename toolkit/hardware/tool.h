#pragma once

#include <string>
#include <vector>

#include "sys/capture.h"
#include "sys/process.h"
#include "trainit/environment.h"
#include "trainit/result.h"

namespace trainit::hardware {

/// Whether PATH of `environment`, or one of `more_places` ("/a:/b"), has a program of this name.
bool has_tool(const Environment& environment, const std::string& name,
              const std::string& more_places = {});

/// Runs it with `arguments` and returns its stdout. Nothing is on its stdin, and its stderr is
/// dropped. Errors: as of `sys::run_and_capture`, or it is not there.
Result<std::string> run_tool(const Environment& environment, const std::string& name,
                             std::vector<std::string> arguments, const sys::Patience& patience,
                             const std::string& more_places = {});

/// The same for a request that says which program; its environment, stdin and stderr are set here.
Result<std::string> run_quietly(sys::SpawnRequest request, const Environment& environment,
                                const sys::Patience& patience);

/// The same, with what it has said where it came to no good end.
sys::Heard hear_quietly(sys::SpawnRequest request, const Environment& environment,
                        const sys::Patience& patience);

}  // namespace trainit::hardware
