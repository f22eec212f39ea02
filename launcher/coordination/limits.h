#pragma once

#include <chrono>

#include "sys/event_loop.h"

namespace trainit::coordination {

/// How long hosts wait for each other.
struct Limits {
  sys::Duration meet = std::chrono::minutes(15);  ///< until all are there
  /// Until those that a host which cannot begin is to tell so are there.
  sys::Duration withdraw = std::chrono::seconds(15);
  sys::Duration beat = std::chrono::seconds(1);  ///< between two signs of life
  /// A host that was silent for so long is lost: longer than TCP needs to come through again after
  /// a cut of 5 s.
  sys::Duration lost = std::chrono::milliseconds(8500);
  /// Who wakes up so late looks at what has come before it declares anybody lost.
  sys::Duration late = std::chrono::seconds(1);
  /// From the outcome until everybody has heard it: as long as for any other word, or who was cut
  /// off at the wrong moment would miss it.
  sys::Duration last_word = lost;
};

}  // namespace trainit::coordination
