#include "store/wire.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstring>
#include <limits>

#include "golden.h"

using namespace trainit::store;
using namespace trainit::store::testing;
using Found = RequestScanner::Found;

namespace {

const char* name_of(Found found) {
  return found == Found::kWhole ? "whole" : found == Found::kPart ? "part" : "too long";
}

/// What a scanner finds that has seen nothing before. What it calls whole can be read, and nothing
/// else.
std::string find(Operation operation, std::string_view bytes) {
  RequestScanner scanner;
  const Found found = scanner.look(operation, bytes);
  Request request;
  CHECK(read_request(operation, bytes, request) == (found == Found::kWhole ? scanner.size() : 0));
  return name_of(found) + (found == Found::kWhole ? " " + std::to_string(scanner.size()) : "");
}

std::string whole(std::size_t size) { return "whole " + std::to_string(size); }

std::string joined(const std::vector<std::string_view>& texts) {
  std::string all;
  for (const std::string_view text : texts) (all += ' ') += text;
  return all;
}

/// The fields that a request of this kind has; the others may be of a request before it.
std::string describe(const Request& request) {
  const auto key = [&] { return "key " + std::string(request.key); };
  const auto value = [&] { return " value " + std::string(request.value); };
  const std::string number = "number " + std::to_string(request.number);
  switch (request.operation) {
    case Operation::kValidate:
    case Operation::kPing:
      return number;
    case Operation::kSet:
    case Operation::kAppend:
    case Operation::kQueuePush:
      return key() + value();
    case Operation::kCompareSet:
      return key() + " expected " + std::string(request.expected) + value();
    case Operation::kGet:
    case Operation::kDeleteKey:
    case Operation::kQueuePop:
    case Operation::kQueueLen:
      return key();
    case Operation::kAdd:
    case Operation::kBarrier:
      return key() + " " + number;
    case Operation::kCheck:
    case Operation::kWait:
    case Operation::kMultiGet:
      return "keys" + joined(request.keys);
    case Operation::kMultiSet:
      return "keys" + joined(request.keys) + " values" + joined(request.values);
    default:
      return "";
  }
}

/// One address range of so many bytes, none of which costs memory before it is written.
class Sparse {
 public:
  explicit Sparse(std::size_t size) : size_(size) {
    memory_ = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    REQUIRE(memory_ != MAP_FAILED);
  }
  Sparse(const Sparse&) = delete;
  Sparse& operator=(const Sparse&) = delete;
  ~Sparse() { ::munmap(memory_, size_); }

  void put(std::uint64_t number) {
    std::memcpy(static_cast<char*>(memory_) + end_, &number, sizeof number);
    end_ += sizeof number;
  }
  void skip(std::size_t size) { end_ += size; }
  std::string_view bytes() const { return {static_cast<const char*>(memory_), end_}; }

 private:
  std::size_t size_, end_ = 1;
  void* memory_;
};

constexpr auto kMost64 = std::numeric_limits<std::uint64_t>::max();

std::string length(std::uint64_t number) {
  std::string bytes;
  write_number(static_cast<std::int64_t>(number), bytes);
  return bytes;
}

}  // namespace

TEST_CASE("a request is whole with its last byte and not before, whatever follows") {
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    const std::string bytes = bytes_of(exchange.request);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      CAPTURE(size);
      CHECK(find(exchange.operation, std::string_view(bytes).substr(0, size)) == "part");
    }
    CHECK(find(exchange.operation, bytes) == whole(bytes.size()));
    CHECK(find(exchange.operation, bytes + std::string(100, '\xFF')) == whole(bytes.size()));
  }
  CHECK(find(kListKeys.operation, bytes_of(kListKeys.request)) == whole(1));
}

TEST_CASE("a request that comes byte by byte is found by one scanner, and then the next") {
  RequestScanner scanner;
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    const std::string bytes = bytes_of(exchange.request);
    for (std::size_t size = 1; size < bytes.size(); ++size)
      CHECK(scanner.look(exchange.operation, std::string_view(bytes).substr(0, size)) ==
            Found::kPart);
    CHECK(scanner.look(exchange.operation, bytes) == Found::kWhole);
    CHECK(scanner.size() == bytes.size());
  }
}

TEST_CASE("the fields of a request are what the client meant") {
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    const std::string bytes = bytes_of(exchange.request);
    CHECK(static_cast<int>(exchange.operation) == bytes[0]);
    Request request;
    read_request(exchange.operation, bytes, request);
    CHECK(request.operation == exchange.operation);
    CHECK(describe(request) == exchange.meaning);
  }
}

TEST_CASE("a request that is used again holds nothing of the one before") {
  Request request;
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    const std::string bytes = bytes_of(exchange.request);
    read_request(exchange.operation, bytes, request);
    CHECK(describe(request) == exchange.meaning);
    if (exchange.operation != Operation::kMultiSet) CHECK(request.values.empty());
  }
}

TEST_CASE("requests are written as a client of torch writes them") {
  std::string stream, expected;
  for (const RequestWriter& writer :
       {RequestWriter(Operation::kValidate).word(kMagic),
        RequestWriter(Operation::kPing).word(4660),
        RequestWriter(Operation::kAdd).text("init/").number(1),
        RequestWriter(Operation::kSet).text("/k").text("v1"),
        RequestWriter(Operation::kWait).number(1).text("/k"),
        RequestWriter(Operation::kGet).text("/k"),
        RequestWriter(Operation::kCheck).number(2).text("/k").text("/x"),
        RequestWriter(Operation::kCompareSet).text("/c").text("").text("a"),
        RequestWriter(Operation::kCompareSet).text("/n").text("z").text("a"),
        RequestWriter(Operation::kAppend).text("/k").text("!"),
        RequestWriter(Operation::kMultiGet).number(1).text("/k"),
        RequestWriter(Operation::kMultiSet).number(1).text("/m").text("1"),
        RequestWriter(Operation::kGetNumKeys),
        RequestWriter(Operation::kDeleteKey).text("/m"),
        RequestWriter(Operation::kWait).number(1).text("/zz"),
        RequestWriter(Operation::kCancelWait),
        RequestWriter(Operation::kQueuePush).text("/q").text("e"),
        RequestWriter(Operation::kQueueLen).text("/q"),
        RequestWriter(Operation::kQueuePop).text("/q"),
        RequestWriter(Operation::kQueuePop).text("/q"),
        RequestWriter(Operation::kBarrier).text("/b").number(1)}) {
    stream += writer.bytes();
  }
  for (const Exchange& exchange : kGolden) expected += bytes_of(exchange.request);
  CHECK(stream == expected);
}

TEST_CASE("numbers are little-endian, and negative ones are their complement") {
  std::string bytes;
  write_number(-2, bytes);
  CHECK(bytes == bytes_of("FE FF FF FF FF FF FF FF"));
  CHECK(read_number(bytes) == -2);
  write_word(0x01020304, bytes = "x");
  CHECK(bytes == "x" + bytes_of("04 03 02 01"));
  write_text(std::string_view("\0a", 2), bytes = "");
  CHECK(bytes == bytes_of("02 00 00 00 00 00 00 00 00 61"));
  Request request;
  const std::string add = RequestWriter(Operation::kAdd).text("").number(-1).bytes();
  read_request(Operation::kAdd, add, request);
  CHECK(request.number == -1);
  read_request(Operation::kPing, bytes_of("0D FF FF FF FF"), request);
  CHECK(request.number == 0xFFFFFFFF);
}

TEST_CASE("a key has 8 KiB at most, wherever it stands") {
  const std::string longest(kMostKey, 'k');
  const auto check = [&](Operation operation, const std::string& before, const std::string& after) {
    CAPTURE(static_cast<int>(operation));
    const std::string begin = std::string(1, static_cast<char>(operation)) + before;
    const std::string request = begin + length(kMostKey) + longest + after;
    CHECK(find(operation, request) == whole(request.size()));
    // Its length is enough.
    CHECK(find(operation, begin + length(kMostKey + 1)) == "too long");
    CHECK(find(operation, begin + length(kMost64)) == "too long");
    CHECK(find(operation, begin + length(kMost64 - 8)) == "too long");
    CHECK(find(operation, begin + length(std::uint64_t{1} << 63)) == "too long");
    CHECK(find(operation, begin + length(kMost64).substr(1)) == "part");
  };
  const std::string empty = length(0);
  check(Operation::kSet, "", empty);
  check(Operation::kCompareSet, "", empty + empty);
  check(Operation::kGet, "", "");
  check(Operation::kAdd, "", length(1));
  check(Operation::kDeleteKey, "", "");
  check(Operation::kAppend, "", empty);
  check(Operation::kQueuePush, "", empty);
  check(Operation::kQueuePop, "", "");
  check(Operation::kQueueLen, "", "");
  check(Operation::kBarrier, "", length(1));
  for (const Operation operation : {Operation::kCheck, Operation::kWait, Operation::kMultiGet})
    check(operation, length(2) + empty, "");
  check(Operation::kMultiSet, length(2) + empty + empty, empty);
}

TEST_CASE("a value has 8 MiB at most, wherever it stands") {
  const std::string longest = length(kMostValue) + std::string(kMostValue, 'v');
  const auto check = [&](Operation operation, const std::string& before, const std::string& after) {
    CAPTURE(static_cast<int>(operation));
    const std::string begin = std::string(1, static_cast<char>(operation)) + before;
    const std::string request = begin + longest + after;
    CHECK(find(operation, request) == whole(request.size()));
    CHECK(find(operation, begin + length(kMostValue + 1)) == "too long");
    CHECK(find(operation, begin + length(kMost64)) == "too long");
  };
  const std::string empty = length(0);
  check(Operation::kSet, empty, "");
  check(Operation::kCompareSet, empty, empty);
  check(Operation::kCompareSet, empty + empty, "");
  check(Operation::kAppend, empty, "");
  check(Operation::kQueuePush, empty, "");
  check(Operation::kMultiSet, length(1) + empty, "");
}

TEST_CASE("what is too long stays so, whatever comes after it") {
  RequestScanner scanner;
  const std::string request = "\x03" + length(kMostKey + 1);
  CHECK(scanner.look(Operation::kGet, request) == Found::kTooLong);
  CHECK(scanner.look(Operation::kGet, request + std::string(kMostKey + 1, 'k')) == Found::kTooLong);
  CHECK(find(Operation::kGet, request + std::string(kMostKey + 1, 'k')) == "too long");
}

TEST_CASE("a request of many keys may have 131,072, and one more is too many") {
  for (const Operation operation :
       {Operation::kCheck, Operation::kWait, Operation::kMultiGet, Operation::kMultiSet}) {
    CAPTURE(static_cast<int>(operation));
    const std::string begin(1, static_cast<char>(operation));
    CHECK(find(operation, begin + length(kMostKeys + 1)) == "too long");
    CHECK(find(operation, begin + length(kMost64)) == "too long");
    CHECK(find(operation, begin + length(std::uint64_t{1} << 63)) == "too long");
    CHECK(find(operation, begin + length(0)) == whole(9));
    const std::size_t texts = operation == Operation::kMultiSet ? 2 * kMostKeys : kMostKeys;
    std::string most = begin + length(kMostKeys);
    for (std::size_t index = 0; index < texts; ++index) write_text(std::to_string(index), most);
    CHECK(find(operation, std::string_view(most).substr(0, most.size() - 1)) == "part");
    CHECK(find(operation, most) == whole(most.size()));
    Request request;
    read_request(operation, most, request);
    REQUIRE(request.keys.size() == kMostKeys);
    CHECK(request.keys[1] == (operation == Operation::kMultiSet ? "2" : "1"));
    if (operation != Operation::kMultiSet) continue;
    REQUIRE(request.values.size() == kMostKeys);
    CHECK(request.values.front() == "1");
    CHECK(request.values.back() == std::to_string(texts - 1));
  }
}

TEST_CASE("of a pair the first is a key and the second a value, by their limits too") {
  const std::string value = length(kMostKey + 1) + std::string(kMostKey + 1, 'v');
  const std::string begin = "\x0B" + length(2) + length(0) + value;
  CHECK(find(Operation::kMultiSet, begin) == "part");
  CHECK(find(Operation::kMultiSet, begin + length(kMostKey + 1)) == "too long");
  const std::string request = begin + length(0) + value;
  CHECK(find(Operation::kMultiSet, request) == whole(request.size()));
}

TEST_CASE("all fields of one request have 256 MiB at most") {
  for (const std::uint64_t more : {0, 1}) {
    Sparse request(kMostRequest + (16 << 20));
    request.put(kMostKeys);
    for (std::uint64_t value = kMostRequest / kMostValue; value > 1; --value) {
      request.put(0);
      request.put(kMostValue);
      request.skip(kMostValue);
    }
    request.put(0);
    const std::uint64_t left = kMostRequest - request.bytes().size();
    REQUIRE(left < kMostValue);
    CHECK(find(Operation::kMultiSet, request.bytes()) == "part");
    request.put(left + more);
    CHECK(find(Operation::kMultiSet, request.bytes()) == (more == 0 ? "part" : "too long"));
  }
}

TEST_CASE("what a scanner has passed is never looked at again") {
  // So what has been passed may as well be anything else, and a request that comes byte by byte is
  // read once in all.
  for (const Exchange& exchange : kGolden) {
    CAPTURE(exchange.request);
    std::string bytes = bytes_of(exchange.request);
    const std::size_t all = bytes.size();
    RequestScanner scanner;
    Found found = Found::kPart;
    for (std::size_t size = 1, spoilt = 1; size <= all; ++size) {
      found = scanner.look(exchange.operation, std::string_view(bytes).substr(0, size));
      for (; found == Found::kPart && spoilt < scanner.size(); ++spoilt) bytes[spoilt] = '\xFF';
    }
    CHECK(found == Found::kWhole);
    CHECK(scanner.size() == all);
  }
}

TEST_CASE("a value of 8 MiB that comes byte by byte is not looked at while it comes") {
  std::string request = "\x01" + length(2) + "/k" + length(kMostValue);
  const std::size_t value = request.size();
  request.resize(value + kMostValue, 'v');
  RequestScanner scanner;
  std::size_t parts = 0;
  for (std::size_t size = 1; size < request.size(); ++size)
    parts +=
        scanner.look(Operation::kSet, std::string_view(request).substr(0, size)) == Found::kPart;
  CHECK(parts == request.size() - 1);
  // It stands before the value, and knows of it only how long it is.
  CHECK(scanner.size() == value - sizeof(std::uint64_t));
  CHECK(scanner.look(Operation::kSet, request) == Found::kWhole);
  CHECK(scanner.size() == request.size());
}

TEST_CASE("many keys that come byte by byte are passed one by one") {
  constexpr std::size_t kKeys = 1000;
  std::string request = "\x06" + length(kKeys);
  std::vector<std::size_t> ends;
  for (std::size_t index = 0; index < kKeys; ++index) {
    write_text(std::string(index % 7, 'k'), request);
    ends.push_back(request.size());
  }
  RequestScanner scanner;
  std::size_t passed = 0;
  for (std::size_t size = 1; size < request.size(); ++size) {
    REQUIRE(scanner.look(Operation::kWait, std::string_view(request).substr(0, size)) ==
            Found::kPart);
    while (passed < kKeys && ends[passed] <= size) ++passed;
    const std::size_t expected = passed > 0 ? ends[passed - 1] : size < 9 ? 1 : 9;
    REQUIRE(scanner.size() == expected);
  }
  CHECK(scanner.look(Operation::kWait, request) == Found::kWhole);
}
