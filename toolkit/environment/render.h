#pragma once

#include <string>
#include <vector>

#include "environment/secrets.h"
#include "trainit/environment.h"

namespace trainit::environment {

/// How an environment is written down.
enum class RenderFormat {
  /// `{"environment": {NAME: value}, "arguments": [text]}`, in order of name. A byte that is no
  /// UTF-8
  /// is written as Python's `surrogateescape` has it, so that `os.fsencode` gives it back.
  kJson,
  /// `export NAME='value'` lines for any POSIX shell. A name that a shell cannot have, or that bash
  /// lets nobody set, is left out, with a comment that says so. No arguments.
  kShell,
  /// `NAME=value` lines as `docker run --env-file` and python-dotenv read them alike; a value that
  /// the two could not read alike (line feeds, " #", quotes or white space at its ends) stands in
  /// single quotes, which python-dotenv and Compose take off. What no such file can hold is left
  /// out,
  /// with a comment that says so. "${NAME}" stands as it is, because python-dotenv expands it in
  /// any
  /// quotes unless it is told not to. No arguments.
  kDotenv,
};

/// The environment and the arguments of a worker as text, which ends with a line end. `explain`
/// adds where each value comes from: JSON has `{"value": …, "origin": …}` then, the others a
/// comment line. Masking is the caller's (`mask_environment`).
std::string render_environment(const Environment& environment,
                               const std::vector<std::string>& arguments, RenderFormat format,
                               bool explain);

}  // namespace trainit::environment
