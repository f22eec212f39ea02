// The client of the rendezvous store: each call is a request, and an answer until the deadline.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "base/text.h"
#include "store/connection.h"
#include "trainit/store.h"

namespace trainit {
namespace {

using store::Operation;
using store::RequestWriter;
using sys::TimePoint;

/// PyTorch's clients put this in front of every key that a script names.
constexpr char kPrefix = '/';

/// The counter of those who have joined has none.
constexpr std::string_view kJoinKey = "init/";

std::string on_wire(std::string_view key) { return kPrefix + std::string(key); }

/// A timeout that is as good as none must not overflow the clock.
TimePoint deadline_of(StoreClient::Duration timeout) {
  constexpr StoreClient::Duration kLongest = std::chrono::hours(24 * 365);
  return sys::Clock::now() + std::min(timeout, kLongest);
}

/// Until when a call that has waited goes on: an answer that is left half makes the connection
/// useless, so it gets its time also when the wait has used up all of its own.
TimePoint with_answer(TimePoint deadline) { return deadline + StoreClient::kAnswerTime; }

RequestWriter request_of(Operation operation, std::string_view key) {
  RequestWriter request(operation);
  request.text(on_wire(key));
  return request;
}

RequestWriter request_of(Operation operation, const std::vector<std::string>& keys) {
  RequestWriter request(operation);
  request.number(static_cast<std::int64_t>(keys.size()));
  for (const std::string& key : keys) request.text(on_wire(key));
  return request;
}

/// "waiting 5 s for a, b and c"
std::string describe_wait(const std::vector<std::string>& keys, StoreClient::Duration timeout) {
  constexpr std::size_t kShown = 8;
  const std::span<const std::string> first = std::span(keys).first(std::min(keys.size(), kShown));
  std::vector<std::string> shown(first.begin(), first.end());
  if (keys.size() > kShown) shown.push_back(fmt::format("{} more", keys.size() - kShown));
  return fmt::format("waiting {} for {}",
                     human_seconds(std::chrono::duration<double>(timeout).count()),
                     join(shown, ", "));
}

Result<void> wait_until(store::Connection& connection, const std::vector<std::string>& keys,
                        StoreClient::Duration timeout, TimePoint deadline) {
  TRAINIT_TRY(connection.send(request_of(Operation::kWait, keys), deadline));
  const Result<void> ended = connection.end_of_wait(deadline, with_answer(deadline));
  if (!ended) return fail(describe_wait(keys, timeout), ended.error());
  return {};
}

Result<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0')
    return fail(fmt::format("{} is not set: where is the rendezvous store?", name));
  return value;
}

}  // namespace

StoreClient::StoreClient(std::unique_ptr<store::Connection> connection, Duration timeout)
    : connection_(std::move(connection)), timeout_(timeout) {}
StoreClient::StoreClient(StoreClient&&) noexcept = default;
StoreClient& StoreClient::operator=(StoreClient&&) noexcept = default;
StoreClient::~StoreClient() = default;

Result<StoreClient> StoreClient::connect(const std::string& address, int port, Duration timeout) {
  auto connection = TRAINIT_TRY(store::Connection::open(address, port, deadline_of(timeout)));
  return StoreClient(std::make_unique<store::Connection>(std::move(connection)), timeout);
}

Result<StoreClient> StoreClient::from_environment(std::string_view counter, Duration timeout) {
  const std::string address = TRAINIT_TRY(variable("MASTER_ADDR"));
  const std::string port_text = TRAINIT_TRY(variable("MASTER_PORT"));
  const auto port = parse_number<int>(port_text);
  if (!port || *port < 1 || *port > 65535) {
    return fail(fmt::format("MASTER_PORT is \"{}\": expected a port from 1 to 65535", port_text));
  }
  const TimePoint deadline = deadline_of(timeout);
  auto connection = TRAINIT_TRY(store::Connection::open(address, *port, deadline));
  RequestWriter request(Operation::kAdd);
  request.text(counter).number(1);
  TRAINIT_TRY(connection.send(request, deadline));
  TRAINIT_TRY(connection.number(deadline));
  return StoreClient(std::make_unique<store::Connection>(std::move(connection)), timeout);
}

Result<StoreClient> StoreClient::join_from_environment(Duration timeout) {
  return from_environment(kJoinKey, timeout);
}

Result<StoreClient> StoreClient::connect_from_environment(Duration timeout) {
  return from_environment(store::kPresentKey, timeout);
}

Result<void> StoreClient::set(std::string_view key, std::string_view value) {
  return connection_->send(request_of(Operation::kSet, key).text(value), deadline_of(timeout_));
}

Result<std::string> StoreClient::get(std::string_view key, Duration timeout) {
  const TimePoint deadline = deadline_of(timeout);
  TRAINIT_TRY(wait_until(*connection_, {std::string(key)}, timeout, deadline));
  const TimePoint answered = with_answer(deadline);
  TRAINIT_TRY(connection_->send(request_of(Operation::kGet, key), answered));
  return connection_->text(answered);
}

Result<std::int64_t> StoreClient::add(std::string_view key, std::int64_t amount) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(request_of(Operation::kAdd, key).number(amount), deadline));
  return connection_->number(deadline);
}

Result<std::string> StoreClient::compare_set(std::string_view key, std::string_view expected,
                                             std::string_view desired) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(
      request_of(Operation::kCompareSet, key).text(expected).text(desired), deadline));
  return connection_->text(deadline);
}

Result<void> StoreClient::append(std::string_view key, std::string_view value) {
  return connection_->send(request_of(Operation::kAppend, key).text(value), deadline_of(timeout_));
}

Result<bool> StoreClient::delete_key(std::string_view key) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(request_of(Operation::kDeleteKey, key), deadline));
  return TRAINIT_TRY(connection_->number(deadline)) > 0;
}

Result<bool> StoreClient::check(const std::vector<std::string>& keys) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(request_of(Operation::kCheck, keys), deadline));
  return TRAINIT_TRY(connection_->byte(deadline)) == store::kReady;
}

Result<void> StoreClient::wait(const std::vector<std::string>& keys, Duration timeout) {
  return wait_until(*connection_, keys, timeout, deadline_of(timeout));
}

Result<std::vector<std::string>> StoreClient::multi_get(const std::vector<std::string>& keys) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(wait_until(*connection_, keys, timeout_, deadline));
  const TimePoint answered = with_answer(deadline);
  TRAINIT_TRY(connection_->send(request_of(Operation::kMultiGet, keys), answered));
  std::vector<std::string> values;
  values.reserve(keys.size());
  for (std::size_t index = 0; index < keys.size(); ++index)
    values.push_back(TRAINIT_TRY(connection_->text(answered)));
  return values;
}

Result<void> StoreClient::multi_set(
    const std::vector<std::pair<std::string, std::string>>& values) {
  RequestWriter request(Operation::kMultiSet);
  request.number(static_cast<std::int64_t>(values.size()));
  for (const auto& [key, value] : values) request.text(on_wire(key)).text(value);
  return connection_->send(request, deadline_of(timeout_));
}

Result<std::int64_t> StoreClient::num_keys() {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(RequestWriter(Operation::kGetNumKeys), deadline));
  return connection_->number(deadline);
}

Result<std::vector<std::string>> StoreClient::list_keys() {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(RequestWriter(Operation::kListKeys), deadline));
  std::vector<std::string> keys;
  for (auto left = TRAINIT_TRY(connection_->number(deadline)); left > 0; --left) {
    const std::string key = TRAINIT_TRY(connection_->text(deadline));
    if (key.starts_with(kPrefix)) keys.push_back(key.substr(1));
  }
  return keys;
}

Result<void> StoreClient::queue_push(std::string_view name, std::string_view value) {
  return connection_->send(request_of(Operation::kQueuePush, name).text(value),
                           deadline_of(timeout_));
}

Result<std::string> StoreClient::queue_pop(std::string_view name, Duration timeout) {
  const TimePoint deadline = deadline_of(timeout);
  for (;;) {
    TRAINIT_TRY(wait_until(*connection_, {std::string(name)}, timeout, deadline));
    const TimePoint answered = with_answer(deadline);
    TRAINIT_TRY(connection_->send(request_of(Operation::kQueuePop, name), answered));
    // Between the two another client may have taken it.
    if (TRAINIT_TRY(connection_->number(answered)) > 0) return connection_->text(answered);
  }
}

Result<std::int64_t> StoreClient::queue_len(std::string_view name) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(request_of(Operation::kQueueLen, name), deadline));
  return connection_->number(deadline);
}

Result<void> StoreClient::barrier(std::string_view key, int world_size) {
  const TimePoint deadline = deadline_of(timeout_);
  TRAINIT_TRY(connection_->send(request_of(Operation::kBarrier, key).number(world_size), deadline));
  const Result<void> ended = connection_->end_of_wait(deadline, with_answer(deadline));
  if (!ended) return fail(describe_wait({std::string(key)}, timeout_), ended.error());
  return {};
}

}  // namespace trainit
