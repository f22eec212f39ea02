#pragma once

#include <string>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"

/// Area "program": what the workers run is there, and the kernel can start it.
namespace trainit::check {

struct ProgramFacts {
  std::vector<std::string> argv;      ///< empty: there is nothing to run
  std::string error;                  ///< the sentence why it cannot be run; empty: it can
  std::string path;                   ///< where the program is
  std::string interpreter;            ///< what its first line names; empty: it is no script
  std::vector<std::string> warnings;  ///< of who looked for it
};
ProgramFacts program_facts(const Subject& subject);

AreaReport judge_program(const ProgramFacts& facts);

}  // namespace trainit::check
