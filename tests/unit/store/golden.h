#pragma once

#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "store/wire.h"

/// What a client of torch 2.15 sends, byte for byte, in this order on one connection, and what its
/// server answers: captured from both, but for LIST_KEYS, whose answer has no order.
namespace trainit::store::testing {

struct Exchange {
  Operation operation;
  const char* request;  ///< bytes in hexadecimal
  const char* answer;
  const char* meaning;  ///< as describe() in wire_test.cc has it
};

inline constexpr Exchange kGolden[] = {
    {Operation::kValidate, "00 CE F7 85 3C", "", "number 1015412686"},
    {Operation::kPing, "0D 34 12 00 00", "34 12 00 00", "number 4660"},
    {Operation::kAdd, "04 05 00 00 00 00 00 00 00 69 6E 69 74 2F 01 00 00 00 00 00 00 00",
     "01 00 00 00 00 00 00 00", "key init/ number 1"},
    {Operation::kSet, "01 02 00 00 00 00 00 00 00 2F 6B 02 00 00 00 00 00 00 00 76 31", "",
     "key /k value v1"},
    {Operation::kWait, "06 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 2F 6B", "00", "keys /k"},
    {Operation::kGet, "03 02 00 00 00 00 00 00 00 2F 6B", "02 00 00 00 00 00 00 00 76 31",
     "key /k"},
    {Operation::kCheck,
     "05 02 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 2F 6B 02 00 00 00 00 00 00 00 2F 78", "01",
     "keys /k /x"},
    {Operation::kCompareSet,
     "02 02 00 00 00 00 00 00 00 2F 63 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 61",
     "01 00 00 00 00 00 00 00 61", "key /c expected  value a"},
    {Operation::kCompareSet,
     "02 02 00 00 00 00 00 00 00 2F 6E 01 00 00 00 00 00 00 00 7A 01 00 00 00 00 00 00 00 61",
     "01 00 00 00 00 00 00 00 7A", "key /n expected z value a"},
    {Operation::kAppend, "09 02 00 00 00 00 00 00 00 2F 6B 01 00 00 00 00 00 00 00 21", "",
     "key /k value !"},
    {Operation::kMultiGet, "0A 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 2F 6B",
     "03 00 00 00 00 00 00 00 76 31 21", "keys /k"},
    {Operation::kMultiSet,
     "0B 01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 2F 6D 01 00 00 00 00 00 00 00 31", "",
     "keys /m values 1"},
    {Operation::kGetNumKeys, "07", "04 00 00 00 00 00 00 00", ""},
    {Operation::kDeleteKey, "08 02 00 00 00 00 00 00 00 2F 6D", "01 00 00 00 00 00 00 00",
     "key /m"},
    {Operation::kWait, "06 01 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 2F 7A 7A", "",
     "keys /zz"},
    {Operation::kCancelWait, "0C", "01", ""},
    {Operation::kQueuePush, "0E 02 00 00 00 00 00 00 00 2F 71 01 00 00 00 00 00 00 00 65", "",
     "key /q value e"},
    {Operation::kQueueLen, "10 02 00 00 00 00 00 00 00 2F 71", "01 00 00 00 00 00 00 00", "key /q"},
    {Operation::kQueuePop, "0F 02 00 00 00 00 00 00 00 2F 71",
     "01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 65", "key /q"},
    {Operation::kQueuePop, "0F 02 00 00 00 00 00 00 00 2F 71", "00 00 00 00 00 00 00 00", "key /q"},
    {Operation::kBarrier, "12 02 00 00 00 00 00 00 00 2F 62 01 00 00 00 00 00 00 00", "00",
     "key /b number 1"},
};

inline constexpr Exchange kListKeys = {Operation::kListKeys, "11", nullptr, ""};

/// The bytes that a text of hexadecimal numbers says.
inline std::string bytes_of(std::string_view hexadecimal) {
  std::string bytes;
  for (std::size_t at = 0; at < hexadecimal.size(); at += 3) {
    unsigned byte = 0;
    std::from_chars(&hexadecimal[at], &hexadecimal[at] + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

}  // namespace trainit::store::testing
