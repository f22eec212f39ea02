#pragma once

#include <string>
#include <vector>

#include "check/finding.h"
#include "check/subject.h"

/// Area "hosts": the names of the job's hosts have addresses.
namespace trainit::check {

struct HostsFacts {
  struct Name {
    std::string host;
    std::string trouble;  ///< why it has no address; empty: it has
  };
  std::vector<Name> names;  ///< none: the job has one host, or its hosts have no names
  double seconds = 0;       ///< until the last was answered
};
/// Looks all names up at once, for at most 5 s, or until a stop signal comes.
HostsFacts hosts_facts(const Subject& subject);

AreaReport judge_hosts(const HostsFacts& facts);

}  // namespace trainit::check
