#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/key_spaces.h"
#include "store/store.h"
#include "store/wire.h"

namespace trainit::store {

/// Why a connection is closed.
enum class Refusal {
  kStranger,  ///< what it sends is not the protocol
  kTooLong,   ///< a length or a count is over its limit
  kTooMuch,   ///< it asks for more at once than is given
  kNoNumber,  ///< it adds to a value that is no number, or beyond 64 bits
};

/// What all sessions of a server have in common. The spaces outlive them.
struct SessionContext {
  KeySpaces& spaces;
  /// Somebody has come to init_process_group, or as our own client.
  std::function<void(std::string_view place, std::uint32_t pid)> joined;
  /// Somebody has come whose torch does not tell its pid: with it so many connections of such are
  /// open in its space.
  std::function<void(int at_once)> joined_nameless;
  Request request;                          ///< one for all, so that its memory is used again
  std::uint64_t most_values = kMostValues;  ///< what one MULTI_GET is answered
};

/// What one client and the store say to each other, without a socket: bytes that came go in,
/// answers come out. Requests may be cut anywhere, and are answered in their order, but that the
/// answer to a wait comes when it is over, also after those to later requests.
///
/// Three generations of clients are told apart by what they send. Torch 2.2 and later begins with
/// VALIDATE. Torch 2.1 has no VALIDATE and no PING, and every number is one lower. Torch 1.13 to
/// 2.0 does as 2.1 up to 6; its 8 is DELETE_KEY, which is APPEND for 2.1; it has no way to cancel a
/// wait, and opens a second connection that stays silent. (Its WATCH_KEY is 7, which is DELETE_KEY
/// for 2.1; nothing in Python sends it, so 7 is taken for the latter until the client is known to
/// be one of 1.13 to 2.0, and is refused then.)
class Session {
 public:
  /// `place` is where the client is, for telling processes apart: the same for the same machine.
  Session(ClientId client, std::string place, SessionContext& context);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Takes what came, does what is asked for, and adds the answers. Stops when these are many, and
  /// goes on with the next call, be it with more bytes or with none. Returns why the connection has
  /// to be closed; nothing: it goes on.
  std::optional<Refusal> take(std::string_view bytes, std::string& answers);
  /// The last call stopped before all that it could do was done.
  bool has_more() const { return has_more_; }

  /// A request is there that is whole for one generation and half for the other. When nothing more
  /// comes within a moment, it is the former: `settle`, and `take` goes on.
  bool is_undecided() const { return undecided_; }
  void settle();

  const std::string& place() const { return place_; }
  /// Has never sent a whole request: a scanner, or the silent connection of generation A.
  bool is_silent() const { return requests_ == 0; }
  /// How many whole requests it has sent.
  std::uint64_t requests() const { return requests_; }
  /// It is a client of torch 2.1, or of one before that.
  bool is_older() const {
    return generation_ != Generation::kUnknown && generation_ != Generation::kCurrent;
  }
  /// Bytes of a request that has not come in whole.
  std::size_t pending_bytes() const { return pending_.size(); }

  /// Clients whose wait has ended by what this one did; each is to be sent kStopWaiting.
  std::vector<ClientId> take_woken() { return std::exchange(woken_, {}); }

 private:
  enum class Generation : char {
    kUnknown,
    kCurrent,
    kOlder,  ///< 2.1, or one before it
    k21,
    kBefore21,
  };

  std::size_t consume(std::string_view bytes, std::string& answers);
  std::size_t read(Operation operation, std::string_view bytes);
  bool find_generation(std::string_view bytes);
  std::optional<Operation> operation_of(unsigned char number);
  bool is_whole_delete(std::string_view bytes) const;
  void perform(const Request& request, std::string& answers);
  void ping(const Request& request, std::string& answers);
  void add(const Request& request, std::string& answers);
  void barrier(const Request& request, std::string& answers);
  void multi_get(const Request& request, std::string& answers);
  void multi_set(const Request& request);
  void list_keys(std::string& answers);
  void queue_pop(const Request& request, std::string& answers);
  void note_woken(std::size_t begin, std::string& answers);
  void enter(KeySpaces::Handle space);
  void join();
  Store& store();
  Process process() const;

  SessionContext& context_;
  ClientId client_;
  Generation generation_ = Generation::kUnknown;
  bool undecided_ = false, has_more_ = false, joined_ = false, present_ = false;
  std::uint64_t requests_ = 0;
  std::optional<Refusal> refusal_;
  std::uint32_t pid_ = 0;
  std::string place_;
  KeySpaces::Handle space_;
  RequestScanner scanner_;
  std::string pending_;  ///< the beginning of a request
  std::vector<ClientId> woken_;
};

}  // namespace trainit::store
