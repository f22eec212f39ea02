#include "report/shared_variables.h"

#include <doctest/doctest.h>

using namespace trainit;
using namespace trainit::report;

namespace {

Environment environment_of(std::initializer_list<std::array<const char*, 3>> variables) {
  Environment result;
  for (const auto& [name, value, origin] : variables) result.set(name, value, origin);
  return result;
}

std::string text_of(const Environment& environment) {
  return dump_json(variables_to_json(environment), JsonStyle::kPython);
}

}  // namespace

TEST_CASE("what all workers have alike is told once, and each keeps the rest") {
  const Environment first =
      environment_of({{"A", "1", "x"}, {"RANK", "0", "t"}, {"ONLY", "o", ""}});
  const Environment second = environment_of({{"A", "1", "x"}, {"RANK", "1", "t"}});
  const Environment third = environment_of({{"A", "1", "x"}, {"RANK", "0", "t"}});
  const Environment* all[] = {&first, &second, &third};
  const SharedVariables found = share_variables(all);
  CHECK(found.shared.to_strings() == std::vector<std::string>{"A=1"});
  REQUIRE(found.own.size() == 3);
  CHECK(found.own[0].to_strings() == std::vector<std::string>{"ONLY=o", "RANK=0"});
  CHECK(found.own[1].to_strings() == std::vector<std::string>{"RANK=1"});
  CHECK(found.own[2].to_strings() == std::vector<std::string>{"RANK=0"});
}

TEST_CASE("the same value of another origin is not the same") {
  const Environment first = environment_of({{"A", "1", "x"}});
  const Environment second = environment_of({{"A", "1", "y"}});
  const Environment* all[] = {&first, &second};
  const SharedVariables found = share_variables(all);
  CHECK(found.shared.variables().empty());
  CHECK(found.own[1].variables().at("A").origin == "y");
}

TEST_CASE("one worker shares all with itself, and none has nothing") {
  const Environment only = environment_of({{"A", "1", "x"}});
  const Environment* all[] = {&only};
  CHECK(share_variables(all).shared.has("A"));
  CHECK(share_variables(all).own.size() == 1);
  CHECK(share_variables({}).own.empty());
}

TEST_CASE("variables go into JSON and come back") {
  const Environment variables = environment_of({{"A", "x\ny", "inherited"}, {"B", "", "trainit"}});
  CHECK(
      text_of(variables) ==
      R"({"A": {"value": "x\ny", "origin": "inherited"}, "B": {"value": "", "origin": "trainit"}})");
  CHECK(text_of(variables_from_json(variables_to_json(variables))) == text_of(variables));
}
