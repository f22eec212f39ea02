#pragma once

#include <chrono>
#include <string>

#include "check/finding.h"
#include "check/subject.h"
#include "trainit/result.h"

/// Area "rendezvous": processes of this host can meet at a store on loopback, as workers do.
namespace trainit::check {

struct RendezvousFacts {
  int processes = 1;
  double seconds = 0;   ///< from the first fork until all had met
  std::string trouble;  ///< why they did not; empty: they did
};
/// Serves a store and forks as many processes as there are workers, at most 8, which meet there;
/// before the deadline.
RendezvousFacts rendezvous_facts(const Subject& subject,
                                 std::chrono::milliseconds deadline = std::chrono::seconds(5));

AreaReport judge_rendezvous(const RendezvousFacts& facts);

}  // namespace trainit::check
