#include "names/resolver.h"

#include <algorithm>
#include <utility>

namespace trainit::names {
namespace {

/// From one batch to the next while there are no answers to the first: a cloud's DNS takes about a
/// thousand packets a second from one host, and drops the others.
constexpr auto kPace = std::chrono::milliseconds(100);

}  // namespace

Resolver::Resolver(sys::EventLoop& loop, Servers servers)
    : loop_(loop), servers_(std::move(servers)) {}

Resolver::~Resolver() {
  if (next_) loop_.cancel(*next_);
  for (const auto& batch : batches_) batch->close();
}

void Resolver::look_up(const std::string& name, sys::Duration timeout, Found found) {
  std::erase_if(batches_, [](const auto& batch) { return batch->over(); });
  if (batches_.empty() || !batches_.back()->takes(timeout)) {
    batches_.push_back(
        std::make_shared<Batch>(loop_, servers_, timeout, [this] { begin_next_after({}); }));
  }
  batches_.back()->add(name, std::move(found));
  if (!next_) begin_next_after({});
}

void Resolver::begin_next_after(sys::Duration pause) {
  if (next_) loop_.cancel(*next_);
  next_ = loop_.after(pause, [this] { begin_next(); });
}

void Resolver::begin_next() {
  next_.reset();
  const auto next = std::find_if(batches_.begin(), batches_.end(),
                                 [](const auto& batch) { return !batch->begun(); });
  if (next == batches_.end()) return;
  const auto batch = (*next)->shared_from_this();  // who is called may end this
  begin_next_after(kPace);
  batch->begin();
}

}  // namespace trainit::names
