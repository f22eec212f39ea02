#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/event_loop.h"
#include "trainit/result.h"
#include "trainit/store.h"

namespace trainit::nccl {

/// Who is to meet, and who of them this process is.
struct Party {
  std::string name;
  std::vector<int> ranks;  ///< of the job, each once; the first makes the id
  int index = 0;           ///< of this process in `ranks`

  int rank() const { return ranks[static_cast<std::size_t>(index)]; }
};

/// How long a rank waits.
struct Patience {
  std::chrono::milliseconds timeout;  ///< from its begin to the deadline, for messages
  sys::TimePoint deadline;
  std::function<bool()> stop_requested;  ///< may be empty
};

/// The ranks of one communicator find each other in the rendezvous store, before and while NCCL
/// connects them. All keys stand below trainit/nccl/<name>/<the ranks>/<how many were made before>,
/// so that communicators are kept apart. Whichever rank gives up tells the others why: the first
/// reason that is told ends every wait, on all ranks, as the same sentence.
class Meeting {
 public:
  /// Counts this rank's call. The client outlives this, and has its own timeout back afterwards.
  static Result<Meeting> open(StoreClient& store, Party party, Patience patience);
  Meeting(Meeting&& other) noexcept;
  ~Meeting();

  /// Says that this rank has come; the first of them waits for all the others.
  Result<void> come();
  /// For the first, once all have come.
  Result<void> hand_out(std::string_view id);
  /// For the others: the id, for which they wait.
  Result<std::string> receive();

  /// Asked while NCCL works. Error: a stop was asked for, the deadline has passed, or another rank
  /// has given up, which is looked up now and then.
  Result<void> go_on();

  /// For an error that ends it, also for one that this returned: tells the others, and returns it,
  /// or the reason that was told before, by whatever rank.
  tl::unexpected<Error> give_up(const Error& error);

 private:
  Meeting(StoreClient& store, Party party, Patience patience);

  StoreClient& client();
  std::string key(std::string_view part) const;
  std::chrono::milliseconds left() const;
  Result<std::string> await(const std::string& key);
  Result<void> check_stop();
  std::string who_is_missing();
  std::string tell(const std::string& sentence);
  tl::unexpected<Error> heard(std::string_view never);

  StoreClient* store_;
  StoreClient::Duration usual_timeout_;
  Party party_;
  Patience patience_;
  std::string path_;
  sys::TimePoint next_look_;
};

}  // namespace trainit::nccl
