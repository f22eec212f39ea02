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

using Names = std::vector<std::string>;

Names names_of(const VariableList& list) {
  Names names;
  for (const auto* variable : list) names.push_back(variable->first);
  return names;
}

}  // namespace

TEST_CASE("what all workers have alike is told once, and each keeps the rest") {
  const Environment first =
      environment_of({{"A", "1", "x"}, {"RANK", "0", "t"}, {"ONLY", "o", ""}});
  const Environment second = environment_of({{"A", "1", "x"}, {"RANK", "1", "t"}});
  const Environment third = environment_of({{"A", "1", "x"}, {"RANK", "0", "t"}});
  const Environment* all[] = {&first, &second, &third};
  const SharedVariables found = share_variables(all);
  CHECK(names_of(found.shared) == Names{"A"});
  REQUIRE(found.own.size() == 3);
  CHECK(names_of(found.own[0]) == Names{"ONLY", "RANK"});
  CHECK(names_of(found.own[1]) == Names{"RANK"});
  CHECK(names_of(found.own[2]) == Names{"RANK"});
  CHECK(found.own[1].front()->second.value == "1");
}

TEST_CASE("the same value of another origin is not the same") {
  const Environment first = environment_of({{"A", "1", "x"}});
  const Environment second = environment_of({{"A", "1", "y"}});
  const Environment* all[] = {&first, &second};
  const SharedVariables found = share_variables(all);
  CHECK(found.shared.empty());
  CHECK(found.own[1].front()->second.origin == "y");
}

TEST_CASE("one worker shares all with itself, and none has nothing") {
  const Environment only = environment_of({{"A", "1", "x"}});
  const Environment* all[] = {&only};
  CHECK(names_of(share_variables(all).shared) == Names{"A"});
  CHECK(share_variables(all).own == std::vector<VariableList>(1));
  CHECK(share_variables({}).own.empty());
}

TEST_CASE("variables go into JSON and come back") {
  const Environment variables = environment_of({{"A", "x\ny", "inherited"}, {"B", "", "trainit"}});
  CHECK(
      text_of(variables) ==
      R"({"A": {"value": "x\ny", "origin": "inherited"}, "B": {"value": "", "origin": "trainit"}})");
  CHECK(text_of(variables_from_json(variables_to_json(variables))) == text_of(variables));
}

TEST_CASE("variables go into JSON as they are shown") {
  const Environment variables = environment_of({{"A", "x", "inherited"}, {"B", "y", "trainit"}});
  const Environment* all[] = {&variables};
  const auto shown = [](std::string_view name, std::string_view value) {
    return std::string(name) + " is " + std::string(value);
  };
  CHECK(
      dump_json(variables_to_json(share_variables(all).shared, shown), JsonStyle::kPython) ==
      R"({"A": {"value": "A is x", "origin": "inherited"}, "B": {"value": "B is y", "origin": "trainit"}})");
}
