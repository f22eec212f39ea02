#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "code/command.h"
#include "hardware/roots.h"
#include "options.h"
#include "sys/process.h"
#include "sys/signals.h"
#include "trainit/cluster.h"
#include "trainit/hardware.h"
#include "trainit/training_job.h"

namespace trainit::check {

/// Where the facts are gathered. Tests put trees of their own there.
struct Roots {
  hardware::SystemRoots system;
  std::string image;  ///< in front of /usr/lib and the like; empty: the real ones
};

/// What is checked: the job of this host, as far as it could be read.
struct Subject {
  Environment environment;  ///< as our caller gave it, with a script's PYTHONPATH
  TrainingJob job;
  Options options;
  Hardware hardware;
  Cluster cluster;
  /// What the workers run; nothing: there is nothing, or it could not be found.
  std::optional<Command> command;
  std::string command_error;  ///< why it could not be found; empty: it was, or nothing is given
  int workers = 1;
  sys::StopSignals stops = sys::usual_stop_signals();  ///< end every wait at once; stay pending
  Roots roots;

  /// What a variable of `environment` is set to; nothing: it is not set.
  std::optional<std::string> variable(std::string_view name) const {
    const std::string* value = environment.find(name);
    return value == nullptr ? std::nullopt : std::optional(*value);
  }
};

}  // namespace trainit::check
