#include "cluster/host_order.h"

#include <algorithm>

#include "base/text.h"

namespace trainit::cluster {
namespace {

/// Cuts the digits at the front of `text` off and gives them, without leading zeros.
std::string_view take_digits(std::string_view& text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
  std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(digits.size());
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

int compare_numbers(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
  return a.compare(b);
}

/// 0 for names that differ in leading zeros only.
int compare_naturally(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (is_digit(a.front()) && is_digit(b.front())) {
      const std::string_view number_of_a = take_digits(a), number_of_b = take_digits(b);
      if (const int order = compare_numbers(number_of_a, number_of_b); order != 0) return order;
    } else {
      if (const int order = a.substr(0, 1).compare(b.substr(0, 1)); order != 0) return order;
      a.remove_prefix(1);
      b.remove_prefix(1);
    }
  }
  return a.empty() ? (b.empty() ? 0 : -1) : 1;
}

}  // namespace

bool host_before(std::string_view a, std::string_view b) {
  const int order = compare_naturally(a, b);
  return order != 0 ? order < 0 : a < b;
}

}  // namespace trainit::cluster
