#include "store/complaints.h"

#include <fmt/core.h>

namespace trainit::store {
namespace {

std::string_view text_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::kStranger:
      return "what it sends is not PyTorch's store protocol";
    case Refusal::kTooLong:
      return "it sends a length over the protocol's limits (8 KiB for a key, 8 MiB for a value, "
             "131,072 keys, 256 MiB for a whole request)";
    case Refusal::kTooMuch:
      return "it asks for more than 256 MiB of values in one request";
    case Refusal::kNoNumber:
      return "it adds to a value that is no number, or comes to more than 64 bits";
  }
  return "";
}

}  // namespace

void Complaints::say(Kind kind, const std::string& sentence) {
  if (said_.insert(kind).second) say_("the rendezvous store " + sentence);
}

void Complaints::refused(Refusal refusal, const std::string& place) {
  constexpr Kind kKinds[] = {Kind::kStranger, Kind::kTooLong, Kind::kTooMuch, Kind::kNoNumber};
  say(kKinds[static_cast<int>(refusal)],
      fmt::format("closed a connection from {}: {}", place, text_of(refusal)));
}

void Complaints::foreign(const std::string& address) {
  say(Kind::kForeign, fmt::format("does not serve {}, which is no host of this job (--store-allow "
                                  "lets others in)",
                                  address));
}

void Complaints::lost_half() {
  say(Kind::kHalf, "lost a client in the middle of a request, which is not applied");
}

void Complaints::scanned(int count, const std::string& place) {
  say(Kind::kScan, fmt::format("was connected to {} times by somebody who left without a word, as "
                               "a port scan does: the last time from {}",
                               count, place));
}

void Complaints::crowded(std::size_t count) {
  say(Kind::kCrowd, fmt::format("has more than {} connections that say nothing: they are kept as "
                                "long as there is room",
                                count));
}

void Complaints::slow(const std::string& place) {
  say(Kind::kSlow, fmt::format("waits for the rest of a request that a client on {} has begun "
                               "long ago, and serves the others meanwhile",
                               place));
}

}  // namespace trainit::store
