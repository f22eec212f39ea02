#include "names/batch.h"

#include <utility>
#include <vector>

namespace trainit::names {
namespace {

/// Their answers fit into the receive buffer of one socket.
constexpr std::size_t kMostNames = 50;

/// What is known of a name without asking anybody.
std::optional<Answer> known_answer(const std::string& name) {
  if (const auto literal = sys::Address::parse(name)) return std::vector{*literal};
  if (name.empty() || name.find('\0') != std::string::npos) return fail("no host has such a name");
  return std::nullopt;
}

}  // namespace

Batch::Batch(sys::EventLoop& loop, const Servers& servers, sys::Duration timeout,
             std::function<void()> answered)
    : loop_(loop),
      servers_(servers),
      timeout_(timeout),
      answered_(std::move(answered)),
      deadline_(loop.after(timeout, [this] { give_up(); })) {}

bool Batch::takes(sys::Duration timeout) const {
  return !begun_ && timeout == timeout_ && queries_.size() < kMostNames;
}

void Batch::add(const std::string& name, Found found) {
  queries_.push_back({name, std::move(found), known_answer(name)});
}

void Batch::begin() {
  begun_ = true;
  auto channel = Channel::open(loop_, servers_, [this] { deliver(); });
  if (channel) channel_ = std::move(*channel);
  for (Query& query : queries_) {
    if (query.answer) continue;
    if (channel_) {
      channel_->ask(query.name, query.answer);
    } else {
      query.answer = tl::unexpected(channel.error());
    }
  }
  deliver();
}

void Batch::give_up() {
  begun_ = true;  // who is told now may look up the next name, which is not this one's any more
  answered_ = nullptr;  // servers that are silent are not asked any faster for it
  if (channel_) channel_->give_up();
  for (Query& query : queries_) {
    if (!query.answer) query.answer = fail("no time was left to ask for it");
  }
  deliver();
}

void Batch::deliver() {
  const auto self = shared_from_this();  // who is called may end the resolver, and so this
  std::list<Query> answered;
  for (auto query = queries_.begin(); query != queries_.end();) {
    const auto next = std::next(query);
    if (query->answer) answered.splice(answered.end(), queries_, query);
    query = next;
  }
  const bool all = queries_.empty();
  for (const Query& query : answered) {
    if (closed_) return;
    query.found(*query.answer);
  }
  if (!all || closed_) return;
  close();
  if (answered_) answered_();
}

void Batch::close() {
  closed_ = true;
  loop_.cancel(deadline_);
  channel_.reset();
  queries_.clear();
}

}  // namespace trainit::names
