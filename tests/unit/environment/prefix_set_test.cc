#include "environment/prefix_set.h"

#include <doctest/doctest.h>

#include <random>

using trainit::environment::PrefixSet;

TEST_CASE("the longest of the texts in front is found") {
  const PrefixSet set({"ab", "abc", "abcde", "b", "ba"});
  CHECK(set.longest_at("abcdf") == 3);
  CHECK(set.longest_at("abcdef") == 5);
  CHECK(set.longest_at("ab") == 2);
  CHECK(set.longest_at("a") == 0);
  CHECK(set.longest_at("bc") == 1);
  CHECK(set.longest_at("\xff") == 0);
  CHECK(set.has_beginning("abcd"));
  CHECK(set.has_beginning("b"));
  CHECK_FALSE(set.has_beginning("abcdef"));
  CHECK_FALSE(set.has_beginning("c"));
  CHECK(set.begins_any('b'));
  CHECK_FALSE(set.begins_any('c'));
  CHECK_FALSE(set.empty());
  CHECK(PrefixSet().empty());
  CHECK(PrefixSet().longest_at("a") == 0);
}

TEST_CASE("the longest end of a text in front is found") {
  const PrefixSet set({"abcab", "xyz", "q"});
  CHECK(set.longest_end_at("bcab yz") == 4);
  CHECK(set.longest_end_at("ab") == 2);
  CHECK(set.longest_end_at("b") == 1);
  CHECK(set.longest_end_at("zxyz") == 1);
  CHECK(set.longest_end_at("xyz") == 0);
  CHECK(set.longest_end_at("q") == 0);
  CHECK(set.longest_end_at("") == 0);
  CHECK(PrefixSet().longest_end_at("a") == 0);
}

TEST_CASE("it is what trying each of them finds") {
  std::mt19937 chance(1);
  const auto text = [&](int longest) {
    std::string result;
    const int length = std::uniform_int_distribution(1, longest)(chance);
    for (int i = 0; i < length; ++i)
      result += "ab\xe9"[std::uniform_int_distribution(0, 2)(chance)];
    return result;
  };
  for (int round = 0; round < 300; ++round) {
    std::set<std::string> texts;
    for (int i = 0; i < 20; ++i) texts.insert(text(6));
    const PrefixSet set(texts);
    for (int i = 0; i < 20; ++i) {
      const std::string other = text(10);
      std::size_t longest = 0;
      for (const std::string& each : texts)
        if (other.starts_with(each)) longest = std::max(longest, each.size());
      CAPTURE(other);
      CHECK(set.longest_at(other) == longest);
    }
  }
}
