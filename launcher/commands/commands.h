#pragma once

#include "base/log.h"
#include "cli.h"
#include "sys/inheritance.h"

/// The commands of the binary. Each returns the exit code of the process.
namespace trainit::commands {

int train(const CommandLine& line, sys::Inheritance inheritance, Logger& log);
int exec(const CommandLine& line, sys::Inheritance inheritance, Logger& log);
int env(const CommandLine& line, Logger& log);
int gpus(const CommandLine& line, Logger& log);
int check(const CommandLine& line, Logger& log);
int failure(const CommandLine& line, Logger& log);
int store(const CommandLine& line, Logger& log);
int explain(const CommandLine& line, Logger& log);

}  // namespace trainit::commands
