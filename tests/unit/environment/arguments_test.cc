#include <doctest/doctest.h>

#include "environment/host_environment.h"
#include "example_job.h"

using namespace trainit;
using namespace trainit::environment;
using test::ExampleJob;

namespace {

using Arguments = std::vector<std::string>;

Arguments arguments(std::string_view file, ArgumentStyle style = ArgumentStyle::kToolkit) {
  auto result = script_arguments(test::hyperparameters(file), style);
  REQUIRE_MESSAGE(result.has_value(), result.error().message);
  return *std::move(result);
}

/// One value of the file, as JSON text, and what becomes of it.
struct Vector {
  std::string_view file_value, argument, variable;
};

constexpr Vector kVectors[] = {
    {R"("256")", "256", "256"},
    {R"("0.0010")", "0.001", "0.001"},
    {R"("1e-5")", "1e-05", "1e-05"},
    {R"("1e16")", "1e+16", "1e+16"},
    {R"("NaN")", "nan", "NaN"},
    {R"("true")", "True", "true"},
    {"true", "True", "true"},
    {R"("false")", "False", "false"},
    {R"("True")", "True", "True"},
    {R"("null")", "", ""},
    {"null", "", ""},
    {R"("")", "", ""},
    {R"("007")", "007", "007"},
    {R"("resnet 50")", "resnet 50", "resnet 50"},
    {R"("\"abc\"")", "abc", "abc"},
    {R"("[1, \"a\", null]")", "[1, 'a', None]", R"([1,"a",null])"},
    {R"("{\"b\": 2, \"a\": [1]}")", "a=[1],b=2", R"({"a":[1],"b":2})"},
    {R"("¡ø")", "¡ø", "¡ø"},
    {"5", "5", "5"},
    {R"("-0")", "0", "0"},
    {R"("-0.0")", "-0.0", "-0.0"},
    {R"("1e15")", "1000000000000000.0", "1000000000000000.0"},
    {R"("123456789012345680.0")", "1.2345678901234568e+17", "1.2345678901234568e+17"},
    {R"("9007199254740993.0")", "9007199254740992.0", "9007199254740992.0"},
    {R"("123456789012345678901234567890")", "123456789012345678901234567890",
     "123456789012345678901234567890"},
    {R"("1e400")", "inf", "Infinity"},
    {R"("-Infinity")", "-inf", "-Infinity"},
    {R"(" 5 ")", "5", "5"},
    {R"(" \"q\" ")", "q", "q"},
    {R"("\"\\\"q\\\"\"")", "\"q\"", "\"q\""},
    {R"("[\"it's\", \"a\\\"b\"]")", R"(["it's", 'a"b'])", R"(["it's","a\"b"])"},
    {R"(["'\""])", R"(['\'"'])", R"(["'\""])"},
    {R"(["\n\t\u0001\u00a0\u200bé😀\ud800"])", R"(['\n\t\x01\xa0\u200bé😀\ud800'])",
     R"(["\n\t\u0001\u00a0\u200b\u00e9\ud83d\ude00\ud800"])"},
    {R"("{\"k\": null, \"t\": true, \"s\": \"x y\", \"f\": 1e-7}")", "f=1e-07,k=None,s=x y,t=True",
     R"({"f":1e-07,"k":null,"s":"x y","t":true})"},
    {R"("[]")", "[]", "[]"},
    {R"("{}")", "", "{}"},
    {R"("$(id) ; a'b")", "$(id) ; a'b", "$(id) ; a'b"},
    {R"(["1",["2","3",[["6"]]]])", "['1', ['2', '3', [['6']]]]", R"(["1",["2","3",[["6"]]]])"},
    {R"({"a":[1,3,4]})", "a=[1, 3, 4]", R"({"a":[1,3,4]})"},
    {R"("[1, 'a']")", "[1, 'a']", "[1, 'a']"},
    {R"("line\nend")", "line\nend", "line\nend"},
    {R"("\udc80\udcff")", "\x80\xff", "\x80\xff"},
};

}  // namespace

TEST_CASE("each kind of value becomes the argument and the variable that the toolkit makes of it") {
  for (const Vector& vector : kVectors) {
    CAPTURE(vector.file_value);
    const std::string file = "{\"name\": " + std::string(vector.file_value) + "}";
    CHECK(arguments(file) == Arguments{"--name", std::string(vector.argument)});
    CHECK(ExampleJob(file).value("SM_HP_NAME") == vector.variable);
  }
}

TEST_CASE("the toolkit's arguments are sorted by name, capitals first") {
  CHECK(arguments(R"({"b": 1, "a-c": 2, "B": 3, "é": 4})") ==
        Arguments{"-B", "3", "--a-c", "2", "-b", "1", "-é", "4"});
}

TEST_CASE("a name of one letter has one dash, an empty one none at all") {
  CHECK(arguments(R"({"e": 1, "": "value"})") == Arguments{"", "value", "-e", "1"});
}

TEST_CASE("the platform's and trainit's own hyperparameters are no arguments") {
  CHECK(arguments(R"({"sagemaker_program": "train.py", "trainit_workers": "2", "x": 1,
                      "_tuning_objective_metric": "loss", "mp_parameters": "a"})") ==
        Arguments{"--mp_parameters", "a", "-x", "1"});
}

TEST_CASE("arguments as JSON keep the file's order and JSON's words") {
  CHECK(arguments(R"({"e": "true", "layers": "[1, \"a\", null]", "n": null, "name": "resnet 50",
                      "rate": "1e-4", "map": {"b": 2, "a": 1}})",
                  ArgumentStyle::kJson) == Arguments{"--e", "true", "--layers", R"([1, "a", null])",
                                                     "--n", "null", "--name", "resnet 50", "--rate",
                                                     "0.0001", "--map", R"({"b": 2, "a": 1})"});
}

TEST_CASE("no arguments are made when none are wanted") {
  CHECK(arguments(R"({"x": 1})", ArgumentStyle::kNone).empty());
  CHECK(script_arguments(test::hyperparameters(R"({"a=b": 1})"), ArgumentStyle::kNone).has_value());
}

TEST_CASE("the v3 drivers pass the platform's hyperparameters on, where they stand") {
  const auto parameters = test::hyperparameters(
      R"({"b": 1, "sagemaker_program": "train.py", "trainit_workers": 2, "a": 2})");
  CHECK(*script_arguments(parameters, ArgumentStyle::kJson, Contract::kV3) ==
        Arguments{"--b", "1", "--sagemaker_program", "train.py", "--a", "2"});
}

TEST_CASE("an argument that no process can be given is an error that names the hyperparameter") {
  const auto error = [](std::string_view file) {
    const auto result = script_arguments(test::hyperparameters(file), ArgumentStyle::kToolkit);
    REQUIRE_FALSE(result.has_value());
    return result.error().message;
  };
  CHECK(
      error(R"({"name": "a\u0000b"})") ==
      R"(hyperparameters.json: the value of "name", "a\u0000b", has a NUL character, which no process can be given)");
  // Harmless in a variable, where it is escaped; the argument has it bare.
  CHECK(
      error(R"({"map": {"k": "a\u0000b"}})") ==
      R"(hyperparameters.json: the value of "--map" has a NUL character, which no process can be given)");
  CHECK(error(R"({"long": ")" + std::string(kMaxVariableBytes, 'x') + "\"}") ==
        "hyperparameters.json: the value of \"--long\" is too long for an argument: 131072 bytes, "
        "and the "
        "kernel's limit is 131071; use --args none");
}
