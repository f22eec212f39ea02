#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace trainit::store {

/// Names a client for as long as it is connected.
using ClientId = int;

/// The keys, the queues, and who waits for them: what PyTorch's TCPStore holds, without a socket
/// and without a clock. Keys and values are opaque bytes.
///
/// A client waits for one thing at a time. When that has come, its id is among the `woken`, once,
/// and it waits no more.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void set(std::string_view key, std::string_view value);
  void append(std::string_view key, std::string_view value);
  /// The value; empty for a key that is not there.
  std::string_view get(std::string_view key) const;
  /// Adds to a number that is kept as decimal text, 0 when the key is not there, and returns the
  /// sum. Nothing: the value is no such number, or the sum is beyond 64 bits; it stays as it was.
  std::optional<std::int64_t> add(std::string_view key, std::int64_t amount);
  /// Stores `desired` when the value is `expected`, or when the key is not there and `expected` is
  /// empty. Returns the value that is there then; for a key that is still not there, `expected`.
  std::string_view compare_set(std::string_view key, std::string_view expected,
                               std::string_view desired);
  /// Whether there was such a key.
  bool remove(std::string_view key);
  /// Whether each of them is there, as a key or as the name of a queue that has a value.
  bool has_all(std::span<const std::string_view> keys) const;
  std::int64_t size() const { return static_cast<std::int64_t>(values_.size()); }
  /// Every key, in no order.
  void for_each_key(const std::function<void(std::string_view key)>& visit) const;

  /// Queues have names of their own, that are no keys. A push wakes the one client that has waited
  /// longest for that name.
  void queue_push(std::string_view name, std::string_view value);
  /// The oldest value; nothing when there is none.
  std::optional<std::string> queue_pop(std::string_view name);
  std::int64_t queue_size(std::string_view name) const;

  /// True when every key is there, or a queue of that name has a value. Else the client waits until
  /// each of those that are missing has been there once; what it waited for before is forgotten.
  bool wait(ClientId client, std::span<const std::string_view> keys);
  /// Counts the client in at `key`, as `add` would, and tells whether it is at least the `count`th,
  /// which wakes the others; else it waits for that one. Nothing: as for `add`.
  std::optional<bool> barrier(ClientId client, std::string_view key, std::int64_t count);
  /// The client waits for nothing any more: it gave up, or is gone.
  void stop_waiting(ClientId client);

  bool anybody_waits() const { return !waits_.empty(); }

  bool has_woken() const { return !woken_.empty(); }
  /// Those whose wait has ended since the last call.
  std::vector<ClientId> take_woken() { return std::exchange(woken_, {}); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  template <class Value>
  using ByName = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;

  /// One client's wait.
  struct Wait {
    std::uint64_t number = 0;        ///< tells this one from others of the client
    std::size_t missing = 0;         ///< how many of `names` have not come
    std::vector<std::string> names;  ///< each once
  };
  struct Waiter {
    ClientId client;
    std::uint64_t wait;
  };
  /// Who waits for a name, the longest first, which is by the numbers of their waits; who has given
  /// up stays in it until half have.
  struct Waiters {
    std::vector<Waiter> all;
    std::size_t gone = 0;
  };

  const std::string* find(std::string_view key) const;
  std::string* find(std::string_view key) {
    return const_cast<std::string*>(std::as_const(*this).find(key));
  }
  std::string& put(std::string_view key);
  std::optional<std::int64_t> add_unnoticed(std::string_view key, std::int64_t amount);
  bool is_there(std::string_view name) const;
  void enlist(ClientId client, Wait& wait, std::string_view name);
  bool still_waits(const Waiter& waiter) const;
  void give_up(std::string_view name, std::uint64_t wait);
  void has_come(std::string_view name);
  void has_come_for(ClientId client);

  ByName<std::string> values_;
  /// The entry that was found last. Most requests are for the key of the one before: a client waits
  /// for a key and then gets it, or counts on and on.
  mutable const std::pair<const std::string, std::string>* last_ = nullptr;
  ByName<std::deque<std::string>> queues_;  ///< none of them empty
  ByName<Waiters> waiting_;
  std::unordered_map<ClientId, Wait> waits_;
  std::uint64_t next_wait_ = 0;
  std::vector<ClientId> woken_;
};

}  // namespace trainit::store
