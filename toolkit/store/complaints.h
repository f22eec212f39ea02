#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "store/session.h"

namespace trainit::store {

/// What a server says of clients that are none, or behave as none does: one sentence of each kind.
class Complaints {
 public:
  using Say = std::function<void(std::string_view sentence)>;
  explicit Complaints(Say say) : say_(std::move(say)) {}

  /// Closed for this.
  void refused(Refusal refusal, const std::string& place);
  /// At no host that is served.
  void foreign(const std::string& address);
  /// Gone before its request was whole.
  void lost_half();
  /// So many have come and gone without a word, the last of them from there.
  void scanned(int count, const std::string& place);
  /// More than so many have not said a word for long.
  void crowded(std::size_t count);
  /// Has begun a request long ago, which is small.
  void slow(const std::string& place);
  /// Nobody can be accepted, or watched.
  void full(const std::string& sentence) { say(Kind::kFull, sentence); }

 private:
  enum class Kind {
    kStranger,
    kTooLong,
    kTooMuch,
    kNoNumber,
    kForeign,
    kHalf,
    kScan,
    kCrowd,
    kSlow,
    kFull
  };
  void say(Kind kind, const std::string& sentence);

  Say say_;
  std::set<Kind> said_;
};

}  // namespace trainit::store
