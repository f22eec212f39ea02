// The rendezvous store, for four clients that send anything, cut anywhere: clients of today get the
// answers of a simple store that this file has for comparison; nobody is woken who has not waited;
// how a stream is cut changes no answer; and no more is kept of a request than has come of it.
//
// The input begins with a byte: 0 for clients of today that have said hello, else for anybody,
// whose world size is one less. Then come pieces: a byte whose lowest two bits name a client, and
// the next two what happens to it. 3: it hangs up and comes again. 2: nothing more comes for now.
// Else bytes come from it: a byte with their number, and they.

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "must.h"
#include "store/session.h"

using namespace trainit;
using fuzz::must;
using store::ClientId;
using store::Operation;
using store::Refusal;

namespace {

constexpr int kClients = 4;
const std::string kHello("\x00\xCE\xF7\x85\x3C", 5);

using Clients = std::vector<ClientId>;

/// What one session made of what it was given.
struct Outcome {
  std::string answers;
  Clients woken;
  std::optional<Refusal> refusal;

  bool operator==(const Outcome&) const = default;

  /// The bytes of the answers in the order of their values, for where keys were listed: they are so
  /// in no order.
  Outcome in_order() const {
    Outcome ordered = *this;
    std::sort(ordered.answers.begin(), ordered.answers.end());
    return ordered;
  }
};

void add(std::int64_t number, std::string& out) {
  for (int shift = 0; shift < 64; shift += 8)
    out += static_cast<char>(static_cast<std::uint64_t>(number) >> shift);
}
void add(const std::string& text, std::string& out) {
  add(static_cast<std::int64_t>(text.size()), out);
  out += text;
}

/// The fields of a request, read one by one by the rules of the protocol.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t number(std::size_t size = 8) {
    std::uint64_t value = 0;
    const std::string_view bytes = take(size);
    for (std::size_t at = bytes.size(); at-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes[at]);
    return value;
  }
  std::string text(std::uint64_t most) {
    const std::uint64_t size = number();
    if (whole && size > most) too_long = true;
    return std::string(take(size));
  }
  std::string key() { return text(8 << 10); }
  std::string value() { return text(8 << 20); }
  std::uint64_t count() {
    const std::uint64_t count = number();
    if (whole && count > (128 << 10)) too_long = true;
    return going() ? count : 0;
  }
  bool going() const { return whole && !too_long; }
  std::size_t used() const { return used_; }

  bool whole = true, too_long = false;

 private:
  std::string_view take(std::uint64_t size) {
    if (!going() || bytes_.size() - used_ < size) {
      if (!too_long) whole = false;
      return {};
    }
    used_ += size;
    return bytes_.substr(used_ - size, size);
  }

  std::string_view bytes_;
  std::size_t used_ = 0;
};

/// A store that searches through everything all the time, and its clients, who said hello.
class Model {
 public:
  /// What happens when these bytes come from the client.
  Outcome take(ClientId client, std::string_view bytes) {
    Outcome outcome;
    std::string& pending = pending_[static_cast<std::size_t>(client)];
    pending += bytes;
    while (!pending.empty() && !outcome.refusal) {
      Fields fields(pending);
      const auto number = fields.number(1);
      if (number > 18) {
        outcome.refusal = Refusal::kStranger;
        break;
      }
      read(static_cast<Operation>(number), fields);
      if (fields.too_long) outcome.refusal = Refusal::kTooLong;
      if (!fields.going()) break;
      outcome.answers += perform(client, outcome);
      pending.erase(0, fields.used());
    }
    return outcome;
  }
  std::size_t pending(ClientId client) const {
    return pending_[static_cast<std::size_t>(client)].size();
  }
  /// Keys were listed since the last call.
  bool take_listed() { return std::exchange(listed_, false); }
  void hang_up(ClientId client) {
    stop_waiting(client);
    pending_[static_cast<std::size_t>(client)].clear();
  }

 private:
  struct Wait {
    ClientId client;
    std::set<std::string> names;
  };

  void read(Operation operation, Fields& fields) {
    operation_ = operation;
    keys_.clear();
    values_given_.clear();
    switch (operation) {
      case Operation::kValidate:
      case Operation::kPing:
        number_ = static_cast<std::int64_t>(fields.number(4));
        return;
      case Operation::kGetNumKeys:
      case Operation::kCancelWait:
      case Operation::kListKeys:
        return;
      case Operation::kCheck:
      case Operation::kWait:
      case Operation::kMultiGet:
      case Operation::kMultiSet:
        return read_many(operation == Operation::kMultiSet, fields);
      default:
        return read_one(operation, fields);
    }
  }
  void read_many(bool pairs, Fields& fields) {
    for (auto count = fields.count(); count > 0 && fields.going(); --count) {
      keys_.push_back(fields.key());
      if (pairs) values_given_.push_back(fields.value());
    }
  }
  void read_one(Operation operation, Fields& fields) {
    keys_.push_back(fields.key());
    if (operation == Operation::kAdd || operation == Operation::kBarrier) {
      number_ = static_cast<std::int64_t>(fields.number());
    } else if (operation == Operation::kSet || operation == Operation::kAppend ||
               operation == Operation::kQueuePush) {
      values_given_.push_back(fields.value());
    } else if (operation == Operation::kCompareSet) {
      values_given_.push_back(fields.value());
      values_given_.push_back(fields.value());
    }
  }

  std::string perform(ClientId client, Outcome& outcome) {
    std::string answer;
    woken_.clear();
    outcome.refusal = answer_to(client, answer);
    for (const ClientId woken : woken_) {
      if (woken != client) outcome.woken.push_back(woken);
    }
    if (std::count(woken_.begin(), woken_.end(), client) > 0) answer.insert(0, 1, '\0');
    return answer;
  }

  std::optional<Refusal> answer_to(ClientId client, std::string& answer) {
    switch (operation_) {
      case Operation::kValidate:
        if (number_ != 0x3C85F7CE) return Refusal::kStranger;
        break;
      case Operation::kSet:
        set(keys_[0], values_given_[0]);
        break;
      case Operation::kCompareSet:
        compare_set(answer);
        break;
      case Operation::kGet:
        add(values_.contains(keys_[0]) ? values_[keys_[0]] : "", answer);
        break;
      case Operation::kAdd:
        if (!add_to(keys_[0], number_)) return Refusal::kNoNumber;
        come(keys_[0]);
        add(std::stoll(values_[keys_[0]]), answer);
        break;
      case Operation::kCheck:
        answer += static_cast<char>(!std::all_of(keys_.begin(), keys_.end(),
                                                 [&](const auto& key) { return is_there(key); }));
        break;
      case Operation::kWait:
        wait(client, answer);
        break;
      case Operation::kGetNumKeys:
        add(static_cast<std::int64_t>(values_.size()), answer);
        break;
      case Operation::kDeleteKey:
        add(static_cast<std::int64_t>(values_.erase(keys_[0])), answer);
        break;
      case Operation::kAppend:
        set(keys_[0], values_[keys_[0]] + values_given_[0]);
        break;
      case Operation::kMultiGet:
        for (const std::string& key : keys_) add(values_.contains(key) ? values_[key] : "", answer);
        break;
      case Operation::kMultiSet:
        for (std::size_t at = 0; at < keys_.size(); ++at) set(keys_[at], values_given_[at]);
        break;
      case Operation::kCancelWait:
        stop_waiting(client);
        answer += '\1';
        break;
      case Operation::kPing:
        add(number_, answer);
        answer.resize(4);
        break;
      case Operation::kQueuePush:
        push();
        break;
      case Operation::kQueuePop:
        pop(answer);
        break;
      case Operation::kQueueLen:
        add(static_cast<std::int64_t>(queues_[keys_[0]].size()), answer);
        break;
      case Operation::kListKeys:
        add(static_cast<std::int64_t>(values_.size()), answer);
        for (const auto& [key, value] : values_) add(key, answer);
        listed_ = true;
        break;
      case Operation::kBarrier:
        return barrier(client, answer);
    }
    return std::nullopt;
  }

  bool is_there(const std::string& name) {
    return values_.contains(name) || !queues_[name].empty();
  }
  void set(const std::string& key, const std::string& value) {
    values_[key] = value;
    come(key);
  }
  bool add_to(const std::string& key, std::int64_t amount) {
    try {
      // As the reference reads numbers.
      const __int128 sum =
          __int128{std::stoll(values_.contains(key) ? values_[key] : "0")} + amount;
      if (sum != static_cast<std::int64_t>(sum)) return false;
      values_[key] = std::to_string(static_cast<std::int64_t>(sum));
      return true;
    } catch (const std::logic_error&) {
      return false;
    }
  }
  void compare_set(std::string& answer) {
    const bool there = values_.contains(keys_[0]);
    const std::string expected = values_given_[0];
    if ((there ? values_[keys_[0]] : "") == expected) set(keys_[0], values_given_[1]);
    add(values_.contains(keys_[0]) ? values_[keys_[0]] : expected, answer);
  }
  void wait(ClientId client, std::string& answer) {
    stop_waiting(client);
    std::set<std::string> missing;
    for (const std::string& key : keys_) {
      if (!is_there(key)) missing.insert(key);
    }
    if (missing.empty()) {
      answer += '\0';
    } else {
      waits_.push_back({client, missing});
    }
  }
  std::optional<Refusal> barrier(ClientId client, std::string& answer) {
    stop_waiting(client);
    if (!add_to(keys_[0], 1)) return Refusal::kNoNumber;
    if (std::stoll(values_[keys_[0]]) < number_) {
      waits_.push_back({client, {keys_[0]}});
    } else {
      come(keys_[0]);
      answer += '\0';
    }
    return std::nullopt;
  }
  void push() {
    queues_[keys_[0]].push_back(values_given_[0]);
    come(keys_[0], 1);
  }
  void pop(std::string& answer) {
    auto& queue = queues_[keys_[0]];
    add(static_cast<std::int64_t>(queue.size()), answer);
    if (queue.empty()) return;
    add(queue.front(), answer);
    queue.pop_front();
  }
  void come(const std::string& name, std::size_t for_most = kClients) {
    for (Wait& wait : waits_) {
      if (for_most == 0) break;
      for_most -= wait.names.erase(name);
      if (wait.names.empty()) woken_.push_back(wait.client);
    }
    std::erase_if(waits_, [](const Wait& wait) { return wait.names.empty(); });
  }
  void stop_waiting(ClientId client) {
    std::erase_if(waits_, [&](const Wait& wait) { return wait.client == client; });
  }

  std::map<std::string, std::string> values_;
  std::map<std::string, std::deque<std::string>> queues_;
  std::vector<Wait> waits_;  ///< the longest first
  Clients woken_;
  bool listed_ = false;
  std::array<std::string, kClients> pending_;
  // The request at hand.
  Operation operation_ = Operation::kValidate;
  std::int64_t number_ = 0;
  std::vector<std::string> keys_, values_given_;
};

/// Four sessions of one store.
class Sessions {
 public:
  explicit Sessions(int world_size) : spaces_(world_size) {
    for (ClientId client = 0; client < kClients; ++client) come(client);
  }

  Outcome take(ClientId client, std::string_view bytes) {
    store::Session& session = at(client);
    Outcome outcome;
    do {
      outcome.refusal = session.take(std::exchange(bytes, {}), outcome.answers);
    } while (!outcome.refusal && session.has_more());
    outcome.woken = session.take_woken();
    return outcome;
  }
  store::Session& at(ClientId client) { return *sessions_[static_cast<std::size_t>(client)]; }
  void come(ClientId client) {
    auto& session = sessions_[static_cast<std::size_t>(client)];
    session.reset();
    session = std::make_unique<store::Session>(client, client < 2 ? "10.0.0.1" : "::1", context_);
  }

 private:
  store::KeySpaces spaces_;
  store::SessionContext context_{spaces_, [](std::string_view, std::uint32_t) {}, [](int) {}, {}};
  std::array<std::unique_ptr<store::Session>, kClients> sessions_;
};

/// Everybody is of today.
class Comparison {
 public:
  Comparison() {
    for (ClientId client = 0; client < kClients; ++client) hang_up(client);
  }

  void take(ClientId client, std::string_view bytes) {
    const Outcome real = sessions_.take(client, bytes), expected = model_.take(client, bytes);
    const bool same =
        model_.take_listed() ? real.in_order() == expected.in_order() : real == expected;
    must(same, "a client gets the answers of a simple store");
    if (real.refusal) return hang_up(client);
    must(sessions_.at(client).pending_bytes() == model_.pending(client),
         "what is not a whole request yet is kept, and nothing else");
  }
  void nothing_comes(ClientId client) {
    must(!sessions_.at(client).is_undecided(), "what a client of today sends is clear");
  }
  void hang_up(ClientId client) {
    sessions_.come(client);
    model_.hang_up(client);
    must(sessions_.take(client, kHello) == Outcome(), "there is no answer to a hello");
  }

 private:
  Sessions sessions_{0};
  Model model_;
};

/// What one client has sent since it came, in its pieces.
struct Stream {
  std::vector<std::string> pieces;
  bool closed = false;  ///< nothing is added any more

  std::string whole() const {
    std::string all;
    for (const std::string& piece : pieces) all += piece;
    return all;
  }
};

Outcome alone(const std::vector<std::string>& pieces, std::size_t& pending) {
  Sessions sessions(2);
  Outcome outcome;
  for (const std::string& piece : pieces) {
    if (outcome.refusal) break;
    const Outcome more = sessions.take(0, piece);
    must(more.woken.empty(), "who is alone wakes nobody");
    outcome.answers += more.answers;
    outcome.refusal = more.refusal;
  }
  pending = sessions.at(0).pending_bytes();
  return outcome;
}

void check_cuts(const Stream& stream) {
  const std::string whole = stream.whole();
  std::vector<std::string> bytes;
  for (const char byte : whole) bytes.emplace_back(1, byte);
  std::size_t pending = 0, pending_in_pieces = 0, pending_of_bytes = 0;
  const Outcome at_once = alone({whole}, pending);
  const bool same = at_once == alone(stream.pieces, pending_in_pieces) &&
                    at_once == alone(bytes, pending_of_bytes);
  must(same, "how a stream is cut changes no answer");
  if (at_once.refusal) return;
  must(pending == pending_in_pieces && pending == pending_of_bytes && pending <= whole.size(),
       "how a stream is cut does not change what is kept of it");
}

/// Clients of which nothing is known.
class Anybody {
 public:
  explicit Anybody(int world_size) : sessions_(world_size) {}
  ~Anybody() {
    for (const Stream& stream : streams_) check_cuts(stream);
  }

  void take(ClientId client, std::string_view bytes) {
    const auto index = static_cast<std::size_t>(client);
    if (!streams_[index].closed) streams_[index].pieces.emplace_back(bytes);
    fed_[index] += bytes.size();
    may_wait_[index] = true;
    check(client, sessions_.take(client, bytes));
  }
  void nothing_comes(ClientId client) {
    if (!sessions_.at(client).is_undecided()) return;
    streams_[static_cast<std::size_t>(client)].closed = true;
    sessions_.at(client).settle();
    check(client, sessions_.take(client, {}));
  }
  void hang_up(ClientId client) {
    const auto index = static_cast<std::size_t>(client);
    streams_[index].closed = true;
    fed_[index] = 0;
    may_wait_[index] = false;
    sessions_.come(client);
  }

 private:
  void check(ClientId client, const Outcome& outcome) {
    for (const ClientId woken : outcome.woken) {
      must(woken >= 0 && woken < kClients && woken != client, "who is woken is another client");
      bool& may_wait = may_wait_[static_cast<std::size_t>(woken)];
      must(may_wait, "who is woken has asked for that, and was not woken since");
      may_wait = false;
    }
    must(sessions_.at(client).pending_bytes() <= fed_[static_cast<std::size_t>(client)],
         "of a request no more is kept than has come");
    if (outcome.refusal) hang_up(client);
  }

  Sessions sessions_;
  std::array<Stream, kClients> streams_;
  std::array<std::size_t, kClients> fed_ = {};
  std::array<bool, kClients> may_wait_ = {};
};

template <class Host>
void play(Host& host, std::string_view input) {
  while (!input.empty()) {
    const auto what = static_cast<unsigned char>(input[0]);
    const ClientId client = what & 3;
    input.remove_prefix(1);
    if ((what >> 2 & 3) == 3) {
      host.hang_up(client);
    } else if ((what >> 2 & 3) == 2) {
      host.nothing_comes(client);
    } else if (!input.empty()) {
      const std::size_t size = static_cast<unsigned char>(input[0]);
      host.take(client, input.substr(1, size));
      input.remove_prefix(std::min(input.size(), 1 + size));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = fuzz::text_of(data, size);
  if (input.empty()) return 0;
  if (input[0] == 0) {
    Comparison comparison;
    play(comparison, input.substr(1));
  } else {
    Anybody anybody((static_cast<unsigned char>(input[0]) - 1) % 4);
    play(anybody, input.substr(1));
  }
  return 0;
}
