#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"
#include "trainit/result.h"

/// Area "outputs": the job's directories can be written to, and have room.
namespace trainit::check {

struct DirectoryFacts {
  std::string path;          ///< as the job has it
  std::string looked_at;     ///< the same, or the nearest directory above it that is there
  std::string write_error;   ///< why no file can be made there; empty: it can
  std::uint64_t device = 0;  ///< the file system's number
  std::uint64_t blocks = 0;  ///< bytes of the file system; 0: it does not tell
  std::uint64_t free = 0;    ///< bytes that we may use
  std::uint64_t nodes = 0, free_nodes = 0;  ///< files that it can have, and has left; 0: no limit
};

struct OutputFacts {
  std::vector<DirectoryFacts> directories;
  std::string trouble;       ///< why they could not be looked at
  bool on_platform = false;  ///< else the job goes without markers where there is no place for them
};
/// In a child with a deadline: a file system over a network may never answer.
OutputFacts output_facts(const Subject& subject);

/// What that child says.
Result<std::vector<DirectoryFacts>> parse_directories(std::string_view json);

AreaReport judge_outputs(const OutputFacts& facts);

}  // namespace trainit::check
