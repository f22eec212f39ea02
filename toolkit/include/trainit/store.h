#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "trainit/result.h"

namespace trainit {

namespace store {
class Connection;
}

/// A client of the rendezvous store that trainit, or PyTorch's TCPStore (2.5 or later), serves. It
/// sees the same keys as a Python script that uses the same names; values are opaque bytes.
///
/// Every call has one deadline: the client's timeout, or the one that it is given. What waits for
/// others (get, wait, multi_get, queue_pop, barrier) may last longer by kAnswerTime: that is for
/// the server's answer when what was waited for has come, or when nobody waits for it any more.
/// Errors: the deadline has passed, the server has closed the connection, or what it answers makes
/// no sense. After the last two, and after a deadline that cut a conversation in the middle, every
/// further call fails. Not for use from several threads at once.
class StoreClient {
 public:
  using Duration = std::chrono::milliseconds;
  static constexpr Duration kTimeout = std::chrono::minutes(5);  ///< PyTorch's own default
  static constexpr Duration kAnswerTime = std::chrono::seconds(2);

  /// Connects to an IP address, or "localhost"; tries again, less and less often, until `timeout`
  /// has passed.
  static Result<StoreClient> connect(const std::string& address, int port,
                                     Duration timeout = kTimeout);
  /// For a worker: connects to MASTER_ADDR and MASTER_PORT and joins, so that the launcher knows
  /// that this rank has come. Error also: one of these variables is not set or makes no sense.
  static Result<StoreClient> join_from_environment(Duration timeout = kTimeout);

  /// For a worker that forms no group of init_process_group: connects in the same way, and tells
  /// the launcher. However often a process does so, it sees the same keys as all the others;
  /// who joins again after having left begins with none.
  static Result<StoreClient> connect_from_environment(Duration timeout = kTimeout);

  StoreClient(StoreClient&&) noexcept;
  StoreClient& operator=(StoreClient&&) noexcept;
  ~StoreClient();

  /// The deadline of each call that is given none of its own: milliseconds, `kTimeout` at first.
  Duration timeout() const { return timeout_; }
  void set_timeout(Duration timeout) { timeout_ = timeout; }

  /// A key is at most 8 KiB, a value at most 8 MiB.
  Result<void> set(std::string_view key, std::string_view value);
  /// Waits for the key.
  Result<std::string> get(std::string_view key) { return get(key, timeout_); }
  Result<std::string> get(std::string_view key, Duration timeout);
  /// Adds to a number that is kept as decimal text, 0 at first; returns the sum.
  Result<std::int64_t> add(std::string_view key, std::int64_t amount);
  /// Stores `desired` when the value is `expected`, or when there is none and `expected` is empty.
  /// Returns what is there then; `expected`, when nothing is.
  Result<std::string> compare_set(std::string_view key, std::string_view expected,
                                  std::string_view desired);
  /// To what is there, or to nothing.
  Result<void> append(std::string_view key, std::string_view value);
  /// Whether there was such a key.
  Result<bool> delete_key(std::string_view key);
  /// Whether all of them are there.
  Result<bool> check(const std::vector<std::string>& keys);
  /// Waits until each of them has been there.
  Result<void> wait(const std::vector<std::string>& keys) { return wait(keys, timeout_); }
  Result<void> wait(const std::vector<std::string>& keys, Duration timeout);
  /// The values, in the order of the keys, for all of which it waits.
  Result<std::vector<std::string>> multi_get(const std::vector<std::string>& keys);
  /// Sets all of them, in their order.
  Result<void> multi_set(const std::vector<std::pair<std::string, std::string>>& values);
  /// How many keys there are, those of everybody.
  Result<std::int64_t> num_keys();
  /// The keys that clients have set, in no order. Needs a server of torch 2.10 or later.
  Result<std::vector<std::string>> list_keys();

  /// Queues have names of their own. They need a server of torch 2.8 or later.
  Result<void> queue_push(std::string_view name, std::string_view value);
  /// Waits for a value; the oldest comes first.
  Result<std::string> queue_pop(std::string_view name) { return queue_pop(name, timeout_); }
  Result<std::string> queue_pop(std::string_view name, Duration timeout);
  /// How many values are in it; one that nobody has made has none.
  Result<std::int64_t> queue_len(std::string_view name);

  /// Waits until `world_size` clients have called it with this key, which serves one barrier only.
  /// Needs a server of torch 2.12 or later.
  Result<void> barrier(std::string_view key, int world_size);

 private:
  static Result<StoreClient> from_environment(std::string_view counter, Duration timeout);
  explicit StoreClient(std::unique_ptr<store::Connection> connection, Duration timeout);

  std::unique_ptr<store::Connection> connection_;
  Duration timeout_;
};

}  // namespace trainit
