#include "store/store.h"

#include <algorithm>

#include "base/text.h"

namespace trainit::store {

std::string& Store::put(std::string_view key) {
  const auto found = values_.find(key);
  return found != values_.end() ? found->second : values_.emplace(key, "").first->second;
}

void Store::set(std::string_view key, std::string_view value) {
  put(key) = value;
  has_come(key);
}

void Store::append(std::string_view key, std::string_view value) {
  put(key) += value;
  has_come(key);
}

std::string_view Store::get(std::string_view key) const {
  const auto found = values_.find(key);
  return found != values_.end() ? std::string_view(found->second) : std::string_view();
}

std::optional<std::int64_t> Store::add(std::string_view key, std::int64_t amount) {
  const auto sum = add_unnoticed(key, amount);
  if (sum) has_come(key);
  return sum;
}

std::optional<std::int64_t> Store::add_unnoticed(std::string_view key, std::int64_t amount) {
  const auto found = values_.find(key);
  std::int64_t sum = 0;
  if (found != values_.end()) {
    const auto number = parse_number<std::int64_t>(found->second);
    if (!number) return std::nullopt;
    sum = *number;
  }
  if (__builtin_add_overflow(sum, amount, &sum)) return std::nullopt;
  std::string& value = found != values_.end() ? found->second : put(key);
  value = std::to_string(sum);
  return sum;
}

std::string_view Store::compare_set(std::string_view key, std::string_view expected,
                                    std::string_view desired) {
  const auto found = values_.find(key);
  const bool matches = found == values_.end() ? expected.empty() : found->second == expected;
  if (matches) {
    set(key, desired);
    return desired;
  }
  return found == values_.end() ? expected : std::string_view(found->second);
}

bool Store::remove(std::string_view key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return false;
  values_.erase(found);
  return true;
}

bool Store::has_all(std::span<const std::string_view> keys) const {
  return std::all_of(keys.begin(), keys.end(),
                     [this](std::string_view key) { return values_.contains(key); });
}

void Store::for_each_key(const std::function<void(std::string_view key)>& visit) const {
  for (const auto& [key, value] : values_) visit(key);
}

void Store::queue_push(std::string_view name, std::string_view value) {
  auto queue = queues_.find(name);
  if (queue == queues_.end()) queue = queues_.emplace(name, std::deque<std::string>()).first;
  queue->second.emplace_back(value);
  const auto waiting = waiting_.find(name);
  if (waiting == waiting_.end()) return;
  const ClientId first = waiting->second.front();
  waiting->second.pop_front();
  if (waiting->second.empty()) waiting_.erase(waiting);
  has_come_for(first);
}

std::optional<std::string> Store::queue_pop(std::string_view name) {
  const auto queue = queues_.find(name);
  if (queue == queues_.end()) return std::nullopt;
  std::string value = std::move(queue->second.front());
  queue->second.pop_front();
  if (queue->second.empty()) queues_.erase(queue);
  return value;
}

std::int64_t Store::queue_size(std::string_view name) const {
  const auto queue = queues_.find(name);
  return queue == queues_.end() ? 0 : static_cast<std::int64_t>(queue->second.size());
}

bool Store::is_there(std::string_view name) const {
  return values_.contains(name) || queues_.contains(name);
}

bool Store::wait(ClientId client, std::span<const std::string_view> keys) {
  stop_waiting(client);
  for (const std::string_view key : keys) {
    if (!is_there(key)) enlist(client, key);
  }
  return !is_waiting(client);
}

std::optional<bool> Store::barrier(ClientId client, std::string_view key, std::int64_t count) {
  stop_waiting(client);
  const auto arrived = add_unnoticed(key, 1);
  if (!arrived) return std::nullopt;
  if (*arrived < count) {
    enlist(client, key);
    return false;
  }
  has_come(key);
  return true;
}

void Store::enlist(ClientId client, std::string_view name) {
  auto waiting = waiting_.find(name);
  if (waiting == waiting_.end()) waiting = waiting_.emplace(name, std::deque<ClientId>()).first;
  // A client is enlisted for all of its names in one go, so a name that is said twice shows here.
  if (!waiting->second.empty() && waiting->second.back() == client) return;
  waiting->second.push_back(client);
  Wait& wait = waits_[client];
  ++wait.missing;
  wait.names.emplace_back(name);
}

void Store::has_come(std::string_view name) {
  if (waiting_.empty()) return;
  const auto found = waiting_.find(name);
  if (found == waiting_.end()) return;
  const std::deque<ClientId> clients = std::move(found->second);
  waiting_.erase(found);
  for (const ClientId client : clients) has_come_for(client);
}

void Store::has_come_for(ClientId client) {
  const auto wait = waits_.find(client);
  if (--wait->second.missing > 0) return;
  waits_.erase(wait);
  woken_.push_back(client);
}

void Store::stop_waiting(ClientId client) {
  const auto wait = waits_.find(client);
  if (wait == waits_.end()) return;
  for (const std::string& name : wait->second.names) {
    const auto waiting = waiting_.find(name);
    if (waiting == waiting_.end()) continue;  // that has come
    std::erase(waiting->second, client);
    if (waiting->second.empty()) waiting_.erase(waiting);
  }
  waits_.erase(wait);
}

}  // namespace trainit::store
