#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The bytes of PyTorch's TCPStore protocol, without a socket: requests are read out of what came,
/// and answers and requests are put together. All integers are little-endian; a string is its
/// length (64 bits) and its bytes; a request is one byte that names it, and its fields; an answer
/// has no header.
namespace trainit::store {

/// What a client can ask for; the numbers are those on the wire of torch 2.2 and later.
enum class Operation : std::uint8_t {
  kValidate = 0,
  kSet = 1,
  kCompareSet = 2,
  kGet = 3,
  kAdd = 4,
  kCheck = 5,
  kWait = 6,
  kGetNumKeys = 7,
  kDeleteKey = 8,
  kAppend = 9,
  kMultiGet = 10,
  kMultiSet = 11,
  kCancelWait = 12,
  kPing = 13,       // from torch 2.5 on
  kQueuePush = 14,  // 2.8, as the next two
  kQueuePop = 15,
  kQueueLen = 16,
  kListKeys = 17,  // 2.10
  kBarrier = 18,   // 2.12
};
inline constexpr int kOperations = 19;

/// What the first request of torch 2.2 and later holds.
inline constexpr std::uint32_t kMagic = 0x3C85F7CE;

/// Answers of one byte.
inline constexpr char kReady = 0, kNotReady = 1;        ///< to kCheck
inline constexpr char kStopWaiting = 0, kCanceled = 1;  ///< to kWait and kBarrier, and kCancelWait

/// What our own client adds to when it has come, without joining a group of init_process_group.
inline constexpr std::string_view kPresentKey = "/trainit/present";

/// The limits of the reference, in bytes and keys; kMostRequest bounds what all fields of one
/// request may come to.
inline constexpr std::uint64_t kMostKey = 8 << 10;
inline constexpr std::uint64_t kMostValue = 8 << 20;
inline constexpr std::uint64_t kMostKeys = 128 << 10;
inline constexpr std::uint64_t kMostRequest = 256 << 20;

/// What the values that one kMultiGet asks for may come to: a limit of our own, in bytes.
inline constexpr std::uint64_t kMostValues = 256 << 20;

/// One whole request. The views are into the bytes that it was read from.
struct Request {
  Operation operation = Operation::kValidate;
  std::string_view key;
  std::string_view expected;  ///< of kCompareSet
  std::string_view value;     ///< also the desired one of kCompareSet
  std::int64_t number = 0;    ///< what to add, the world size of a barrier, a nonce, the magic
  std::vector<std::string_view> keys, values;  ///< of the requests that take many
};

/// Finds where a request ends. What came of it is never looked at twice, so that a client that
/// sends byte by byte costs no more than another.
class RequestScanner {
 public:
  enum class Found {
    kWhole,    ///< it ends after `size()` bytes
    kPart,     ///< there is more to come
    kTooLong,  ///< some length or count is over its limit
  };

  /// Looks at the fields of a request of this kind. `bytes` begin with its first byte, and are at
  /// least as many as at the last look. After kWhole the next look is at the next request.
  Found look(Operation operation, std::string_view bytes);
  std::size_t size() const { return position_; }
  /// It has looked at a request that was not there in whole.
  bool is_under_way() const { return looked_ && !whole_; }

 private:
  bool pass_field(char field, std::string_view bytes);
  bool pass_many(bool pairs, std::string_view bytes);
  bool pass_text(std::uint64_t most, std::string_view bytes);
  bool pass(std::size_t size, std::string_view bytes);

  std::size_t position_ = 1;  ///< what is before it is known to be there
  std::size_t field_ = 0;     ///< the one that `position_` is in
  std::uint64_t items_ = 0;   ///< strings still to come in a field of many
  bool counted_ = false;      ///< their number has been read
  bool too_long_ = false;
  bool whole_ = false;
  bool looked_ = false;
};

/// Reads the request that `bytes` begin with into a Request whose vectors are used again, and
/// returns how many bytes it takes; 0: it is not there in whole, or over a limit, as a scanner
/// tells.
std::size_t read_request(Operation operation, std::string_view bytes, Request& request);

/// Puts a request together, field by field.
class RequestWriter {
 public:
  explicit RequestWriter(Operation operation) : bytes_(1, static_cast<char>(operation)) {}

  /// Another request behind what is there.
  RequestWriter& then(Operation operation);
  RequestWriter& text(std::string_view text);  ///< a key or a value
  RequestWriter& number(std::int64_t number);  ///< also a count
  RequestWriter& word(std::uint32_t word);     ///< a nonce, or the magic

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Adds fields of answers to `out`.
void write_number(std::int64_t number, std::string& out);
void write_word(std::uint32_t word, std::string& out);
void write_text(std::string_view text, std::string& out);

/// A number out of its eight bytes.
std::int64_t read_number(std::string_view bytes);

}  // namespace trainit::store
