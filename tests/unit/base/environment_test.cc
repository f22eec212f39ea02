#include "trainit/environment.h"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace trainit;

namespace {

/// This process's environment is the given one until the end of the scope.
class ProcessEnvironment {
 public:
  explicit ProcessEnvironment(std::vector<char*> entries) : entries_(std::move(entries)) {
    entries_.push_back(nullptr);
    environ = entries_.data();
  }
  ~ProcessEnvironment() { environ = before_; }
  ProcessEnvironment(const ProcessEnvironment&) = delete;
  ProcessEnvironment& operator=(const ProcessEnvironment&) = delete;

 private:
  char** before_ = environ;
  std::vector<char*> entries_;
};

}  // namespace

TEST_CASE("the process's environment is taken as getenv sees it") {
  char plain[] = "A=1", again[] = "A=2", empty[] = "EMPTY=", equals[] = "X=a=b",
       odd[] = "no equals", nameless[] = "=value", dashed[] = "SM_HP_BATCH-SIZE=7";
  const ProcessEnvironment process({plain, again, empty, equals, odd, nameless, dashed});
  const Environment environment = Environment::of_process();
  CHECK(environment.variables().size() == 4);
  CHECK(*environment.find("A") == "1");
  CHECK(environment.find("EMPTY")->empty());
  CHECK(*environment.find("X") == "a=b");
  CHECK(*environment.find("SM_HP_BATCH-SIZE") == "7");
  CHECK(environment.variables().at("A").origin == "inherited");
}

TEST_CASE("a value that is set stays unless it is set again") {
  Environment environment;
  CHECK(environment.set_default("A", "1", "first"));
  CHECK_FALSE(environment.set_default("A", "2", "second"));
  CHECK(*environment.find("A") == "1");
  CHECK(environment.variables().at("A").origin == "first");
  environment.set("A", "3", "third");
  CHECK(*environment.find("A") == "3");
  CHECK(environment.variables().at("A").origin == "third");
}

TEST_CASE("an empty value counts as set, but not for get_or") {
  Environment environment;
  environment.set("A", "", "test");
  CHECK(environment.has("A"));
  CHECK(environment.get_or("A", "otherwise") == "otherwise");
  CHECK(environment.get_or("B", "otherwise") == "otherwise");
  environment.set("A", "value", "test");
  CHECK(environment.get_or("A", "otherwise") == "value");
}

TEST_CASE("in a merge the other one wins") {
  Environment mine, other;
  mine.set("A", "mine", "mine");
  mine.set("B", "mine", "mine");
  other.set("B", "other", "other");
  mine.merge(other);
  CHECK(mine.to_strings() == std::vector<std::string>{"A=mine", "B=other"});
  CHECK(mine.variables().at("B").origin == "other");
}

TEST_CASE("an erased variable is gone, and erasing it again is no error") {
  Environment environment;
  environment.set("A", "1", "test");
  environment.erase("A");
  environment.erase("A");
  CHECK_FALSE(environment.has("A"));
  CHECK(environment.to_strings().empty());
}

TEST_CASE("the strings are in order of name") {
  Environment environment;
  for (const char* name : {"b", "A", "a", "B_", "B"}) environment.set(name, "", "test");
  CHECK(environment.to_strings() == std::vector<std::string>{"A=", "B=", "B_=", "a=", "b="});
}

TEST_CASE("a variable that no process can be given is told") {
  using namespace std::string_view_literals;
  CHECK(check_variable("SM_HP_BATCH-SIZE", "any = value\n").has_value());
  CHECK(check_variable("A", "").has_value());
  CHECK(check_variable("", "v").error().message == "an environment variable needs a name");
  CHECK(check_variable("A=B", "v").error().message ==
        "\"A=B\" cannot be the name of an environment variable: it has a '='");
  CHECK(check_variable("A\0B"sv, "v").error().message ==
        "\"A\" cannot be the name of an environment variable: it has a NUL");
  CHECK(check_variable("A", "v\0w"sv).error().message ==
        "the value of A has a NUL, which no process can be given");
}
