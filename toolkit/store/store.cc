#include "store/store.h"

#include <algorithm>
#include <charconv>

namespace trainit::store {
namespace {

/// The number at the beginning of a text, as the reference reads it: white space and a '+' may
/// stand before it, and anything behind.
std::optional<std::int64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

/// The key's value; null when it is not there.
const std::string* Store::find(std::string_view key) const {
  if (last_ != nullptr && last_->first == key) return &last_->second;
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  last_ = &*found;
  return &found->second;
}

std::string& Store::put(std::string_view key) {
  std::string* const found = find(key);
  return found != nullptr ? *found : values_.emplace(key, "").first->second;
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
  const std::string* const found = find(key);
  return found != nullptr ? std::string_view(*found) : std::string_view();
}

std::optional<std::int64_t> Store::add(std::string_view key, std::int64_t amount) {
  const auto sum = add_unnoticed(key, amount);
  if (sum) has_come(key);
  return sum;
}

std::optional<std::int64_t> Store::add_unnoticed(std::string_view key, std::int64_t amount) {
  std::string* const found = find(key);
  std::int64_t sum = 0;
  if (found != nullptr) {
    const auto number = leading_number(*found);
    if (!number) return std::nullopt;
    sum = *number;
  }
  if (__builtin_add_overflow(sum, amount, &sum)) return std::nullopt;
  std::string& value = found != nullptr ? *found : put(key);
  value = std::to_string(sum);
  return sum;
}

std::string_view Store::compare_set(std::string_view key, std::string_view expected,
                                    std::string_view desired) {
  const std::string* const found = find(key);
  const bool matches = found == nullptr ? expected.empty() : *found == expected;
  if (matches) {
    set(key, desired);
    return desired;
  }
  return found == nullptr ? expected : std::string_view(*found);
}

bool Store::remove(std::string_view key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return false;
  last_ = nullptr;
  values_.erase(found);
  return true;
}

bool Store::has_all(std::span<const std::string_view> keys) const {
  return std::all_of(keys.begin(), keys.end(),
                     [this](std::string_view key) { return is_there(key); });
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
  std::vector<Waiter>& all = waiting->second.all;
  const auto first = std::find_if(all.begin(), all.end(),
                                  [this](const Waiter& waiter) { return still_waits(waiter); });
  const ClientId client = first->client;
  waiting->second.gone -= static_cast<std::size_t>(first - all.begin());
  all.erase(all.begin(), first + 1);
  if (all.size() == waiting->second.gone) waiting_.erase(waiting);
  has_come_for(client);
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
  return find(name) != nullptr || queues_.contains(name);
}

bool Store::wait(ClientId client, std::span<const std::string_view> keys) {
  stop_waiting(client);
  Wait wait{next_wait_++, 0, {}};
  for (const std::string_view key : keys) {
    if (!is_there(key)) enlist(client, wait, key);
  }
  if (wait.missing == 0) return true;
  waits_.emplace(client, std::move(wait));
  return false;
}

std::optional<bool> Store::barrier(ClientId client, std::string_view key, std::int64_t count) {
  stop_waiting(client);
  const auto arrived = add_unnoticed(key, 1);
  if (!arrived) return std::nullopt;
  if (*arrived >= count) {
    has_come(key);
    return true;
  }
  Wait wait{next_wait_++, 0, {}};
  enlist(client, wait, key);
  waits_.emplace(client, std::move(wait));
  return false;
}

void Store::enlist(ClientId client, Wait& wait, std::string_view name) {
  auto waiting = waiting_.find(name);
  if (waiting == waiting_.end()) waiting = waiting_.emplace(name, Waiters()).first;
  std::vector<Waiter>& all = waiting->second.all;
  // A client is enlisted for all of its names in one go, so a name that is said twice shows here.
  if (!all.empty() && all.back().wait == wait.number) return;
  all.push_back({client, wait.number});
  ++wait.missing;
  wait.names.emplace_back(name);
}

bool Store::still_waits(const Waiter& waiter) const {
  const auto wait = waits_.find(waiter.client);
  return wait != waits_.end() && wait->second.number == waiter.wait;
}

void Store::has_come(std::string_view name) {
  if (waiting_.empty()) return;
  const auto found = waiting_.find(name);
  if (found == waiting_.end()) return;
  const std::vector<Waiter> all = std::move(found->second.all);
  waiting_.erase(found);
  for (const Waiter& waiter : all) {
    if (still_waits(waiter)) has_come_for(waiter.client);
  }
}

void Store::has_come_for(ClientId client) {
  const auto wait = waits_.find(client);
  if (--wait->second.missing > 0) return;
  waits_.erase(wait);
  woken_.push_back(client);
}

void Store::stop_waiting(ClientId client) {
  const auto found = waits_.find(client);
  if (found == waits_.end()) return;
  const Wait wait = std::move(found->second);
  waits_.erase(found);
  for (const std::string& name : wait.names) give_up(name, wait.number);
}

/// One of those who wait for a name does so no more. It leaves the list together with others, so
/// that a thousand who go away at once cost no more than they have to.
void Store::give_up(std::string_view name, std::uint64_t wait) {
  const auto waiting = waiting_.find(name);
  if (waiting == waiting_.end()) return;  // that has come
  Waiters& waiters = waiting->second;
  // It may have come for this one, and those who are there wait for it to come again.
  if (!std::ranges::binary_search(waiters.all, wait, {}, &Waiter::wait)) return;
  if (++waiters.gone * 2 < waiters.all.size()) return;
  std::erase_if(waiters.all, [this](const Waiter& waiter) { return !still_waits(waiter); });
  waiters.gone = 0;
  if (waiters.all.empty()) waiting_.erase(waiting);
}

}  // namespace trainit::store
