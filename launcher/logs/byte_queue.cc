#include "logs/byte_queue.h"

#include <algorithm>
#include <cstring>

namespace trainit::logs {

void ByteQueue::add_chunk() {
  if (spares_.empty()) {
    chunks_.push_back(std::make_unique_for_overwrite<std::array<char, kChunk>>());
  } else {
    chunks_.push_back(std::move(spares_.back()));
    spares_.pop_back();
  }
  end_ = 0;
}

void ByteQueue::drop_chunk() {
  if (spares_.size() < kSpares) spares_.push_back(std::move(chunks_.front()));
  chunks_.pop_front();
  begin_ = 0;
  if (chunks_.empty()) end_ = kChunk;
}

void ByteQueue::push_in_parts(std::string_view bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (end_ == kChunk) add_chunk();
    const std::size_t count = std::min(bytes.size(), kChunk - end_);
    std::memcpy(chunks_.back()->data() + end_, bytes.data(), count);
    end_ += count;
    bytes.remove_prefix(count);
  }
}

std::string_view ByteQueue::front() const {
  if (size_ == 0) return {};
  const std::size_t end = chunks_.size() == 1 ? end_ : kChunk;
  return {chunks_.front()->data() + begin_, end - begin_};
}

void ByteQueue::pop(std::size_t count) {
  if (count == 0) return;
  size_ -= count;
  begin_ += count;
  if (size_ == 0 || begin_ == kChunk) drop_chunk();
}

void ByteQueue::clear() {
  while (!chunks_.empty()) drop_chunk();
  size_ = 0;
}

}  // namespace trainit::logs
