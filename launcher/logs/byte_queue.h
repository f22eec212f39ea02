#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace trainit::logs {

/// First in, first out, for bytes. Memory comes in chunks, of which a few are kept for reuse: what
/// a stuck reader made it hold is given back when the reader goes on.
class ByteQueue {
 public:
  void push(std::string_view bytes) {
    if (bytes.size() >= kChunk - end_) return push_in_parts(bytes);
    std::memcpy(chunks_.back()->data() + end_, bytes.data(), bytes.size());
    end_ += bytes.size();
    size_ += bytes.size();
  }
  /// The oldest bytes, as many as lie in one piece; empty only when the queue is.
  std::string_view front() const;
  /// Drops the oldest `count` bytes, which are at most those of `front()`.
  void pop(std::size_t count);
  void clear();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kChunk = std::size_t{64} * 1024;
  static constexpr std::size_t kSpares = 4;
  using Chunk = std::unique_ptr<std::array<char, kChunk>>;

  void push_in_parts(std::string_view bytes);
  void add_chunk();
  void drop_chunk();

  std::deque<Chunk> chunks_;
  std::vector<Chunk> spares_;
  std::size_t begin_ = 0;     ///< of the first chunk
  std::size_t end_ = kChunk;  ///< of the last chunk; all of it used: the next byte needs another
  std::size_t size_ = 0;
};

}  // namespace trainit::logs
