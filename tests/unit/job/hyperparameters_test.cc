#include "trainit/hyperparameters.h"

#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>

using namespace trainit;

namespace {

Hyperparameters read(std::string_view file) {
  Result<Json> json = Json::parse(file);
  REQUIRE(json);
  Result<Hyperparameters> hyperparameters = Hyperparameters::from_json(*json);
  REQUIRE(hyperparameters);
  return *std::move(hyperparameters);
}

/// The hyperparameter `x` whose value stands in the file as the text `text`.
Json decoded(std::string_view text) {
  const Json file = Json::Object{{"x", Json(text)}};
  const Result<Hyperparameters> hyperparameters = Hyperparameters::from_json(file);
  REQUIRE(hyperparameters);
  REQUIRE(hyperparameters->find("x") != nullptr);
  return *hyperparameters->find("x");
}

std::vector<std::string> names(const Json::Object& members) {
  std::vector<std::string> result;
  for (const Json::Member& member : members) result.push_back(member.name);
  return result;
}

bool flag(const Json& value) {
  return Hyperparameters::from_json(Json::Object{{"sagemaker_mpi_enabled", value}})
      ->platform_flag("sagemaker_mpi_enabled");
}

}  // namespace

TEST_CASE("a text that is JSON is decoded, and any other stays as it is") {
  CHECK(decoded("256") == Json(256));
  CHECK(decoded("0.0010") == Json(0.001));
  CHECK(decoded("1e-5") == Json(1e-5));
  CHECK(decoded("true") == Json(true));
  CHECK(decoded("True") == Json("True"));
  CHECK(decoded("null") == Json());
  CHECK(decoded("") == Json(""));
  CHECK(decoded("007") == Json("007"));
  CHECK(decoded("resnet 50") == Json("resnet 50"));
  CHECK(decoded("\"abc\"") == Json("abc"));
  CHECK(decoded(" 5 ") == Json(5));
  CHECK(decoded("-0") == Json(0));
  CHECK(decoded("$(id) ; a'b") == Json("$(id) ; a'b"));
  CHECK(decoded("[1, \"a\", null]") == Json(Json::Array{1, "a", nullptr}));
  CHECK(decoded("[1, 'a']") == Json("[1, 'a']"));
  CHECK(decoded("123456789012345678901234567890") ==
        Json(Json::Integer{"123456789012345678901234567890"}));
  CHECK(std::isnan(*decoded("NaN").number()));
  CHECK(*decoded("-Infinity").number() == -INFINITY);
  CHECK(*decoded("1e400").number() == INFINITY);
  CHECK(decoded("\xEF\xBB\xBF"
                "5") == Json("\xEF\xBB\xBF"
                             "5"));
}

TEST_CASE("one file may hold encoded values, plain texts and values that are no text") {
  const Hyperparameters all = read(R"({"flag": "True", "epochs": "10", "opt": "\"adam\"",
                                       "native": 5, "list": [1, "2"], "none": null})");
  CHECK(*all.find("flag") == Json("True"));
  CHECK(*all.find("epochs") == Json(10));
  CHECK(*all.find("opt") == Json("adam"));
  CHECK(*all.find("native") == Json(5));
  CHECK(*all.find("list") == Json(Json::Array{1, "2"}));
  CHECK(*all.find("none") == Json());
  CHECK(all.find("absent") == nullptr);
}

TEST_CASE("names tell the user's from the platform's and from ours, in file order") {
  const Hyperparameters all = read(R"({
      "z": "1", "sagemaker_program": "\"train.py\"", "sagemaker_mpi_enabled": "true",
      "trainit_workers": "2", "a": "2", "mp_parameters": "{}", "sagemaker_submit_directory": "s3://b/k",
      "sagemaker_enable_cloudwatch_metrics": "false", "sagemaker_region": "\"r\"",
      "sagemaker_container_log_level": "20", "sagemaker_job_name": "\"j\"",
      "default_user_module_name": "m", "_tuning_objective_metric": "loss", "sagemaker_s3_output": "s",
      "sagemaker_instance_type": "t", "sagemaker": "mine", "trainit": "mine too"})");
  CHECK(names(all.user()) ==
        std::vector<std::string>{"z", "a", "mp_parameters", "sagemaker", "trainit"});
  CHECK(names(all.framework()) ==
        std::vector<std::string>{"sagemaker_mpi_enabled", "sagemaker_instance_type"});
  CHECK(names(all.trainit()) == std::vector<std::string>{"trainit_workers"});
  CHECK(all.platform_text("sagemaker_program") == "train.py");
  CHECK(all.platform_text("sagemaker_submit_directory") == "s3://b/k");
  CHECK(*all.platform("sagemaker_container_log_level") == Json(20));
  CHECK(all.platform("_tuning_objective_metric") != nullptr);
  CHECK(all.platform("default_user_module_name") != nullptr);
  CHECK(all.platform_text("sagemaker_container_log_level") == "20");
  CHECK(all.platform("z") == nullptr);
  CHECK(all.find("sagemaker_program") == nullptr);
}

TEST_CASE("a platform's text may be a number or a boolean, and nothing else") {
  const auto program = [](std::string_view json) {
    return read(R"({"sagemaker_program": )" + std::string(json) + "}")
        .platform_text("sagemaker_program");
  };
  CHECK(program(R"("123")") == "123");
  CHECK(program("123") == "123");
  CHECK(program(R"("true")") == "true");
  CHECK(program(R"("007")") == "007");
  CHECK(program(R"("1e5")") == "1e5");
  CHECK_FALSE(program("null"));
  CHECK_FALSE(program(R"("null")"));
  const auto container = [](std::string_view json) {
    return read(R"({"sagemaker_s3_output": )" + std::string(json) + "}")
        .platform_text("sagemaker_s3_output");
  };
  CHECK_FALSE(container(R"("[1]")"));
  CHECK_FALSE(container(R"({"a": 1})"));
}

TEST_CASE("a platform's parameter of another kind is an error that names it") {
  const auto error = [](std::string_view name, std::string_view value) {
    const Json file = *Json::parse(fmt::format(R"({{"{}": {}}})", name, value));
    const Result<Hyperparameters> hyperparameters = Hyperparameters::from_json(file);
    return hyperparameters ? "none" : hyperparameters.error().message;
  };
  for (const char* name : {"sagemaker_program", "sagemaker_submit_directory", "sagemaker_region",
                           "sagemaker_job_name"}) {
    CAPTURE(name);
    for (const char* value : {R"(["a"])", R"("[1]")", R"({"a": 1})"}) {
      const std::string said = error(name, value);
      CHECK(said.starts_with(fmt::format("hyperparameter \"{}\" is a", name)));
      CHECK(said.ends_with("it has to be text"));
    }
    CHECK(error(name, "null") == "none");
    CHECK(error(name, "5") == "none");
  }
  for (const char* value : {R"("INFO")", R"("\"20\"")", "[20]", "true"}) {
    CAPTURE(value);
    CHECK(error("sagemaker_container_log_level", value).ends_with("such as 20"));
  }
  for (const char* value : {R"("20")", "20", "null", R"("null")"}) {
    CAPTURE(value);
    CHECK(error("sagemaker_container_log_level", value) == "none");
  }
}

TEST_CASE("what the v3 drivers publish is the decoded value, whatever the platform means by it") {
  const Hyperparameters read_here = read(R"({"sagemaker_job_name": "1e5"})");
  CHECK(read_here.all().front().value == Json(1e5));
  CHECK(*read_here.platform("sagemaker_job_name") == Json("1e5"));
}

TEST_CASE("a switch whose text says no is off") {
  for (const char* off :
       {"false", "False", "\"False\"", "0", "no", "No", "off", "None", "null", "", " "}) {
    CAPTURE(off);
    CHECK_FALSE(flag(Json(off)));
  }
  for (const char* on : {"true", "True", "1", "yes", "\"true\"", "{\"a\": 1}"}) {
    CAPTURE(on);
    CHECK(flag(Json(on)));
  }
  CHECK(flag(Json(true)));
  CHECK_FALSE(flag(Json(false)));
  CHECK_FALSE(read("{}").platform_flag("sagemaker_mpi_enabled"));
}

TEST_CASE("typed access gives what a script's arguments would mean") {
  const Hyperparameters all =
      read(R"({"epochs": "10", "digits": "007", "rate": "1e-3", "name": "resnet",
      "version": "1.0", "yes": "True", "no": "false", "none": "null", "one": "1"})");
  CHECK(*all.integer("epochs", 0) == 10);
  CHECK(*all.integer("digits", 0) == 7);
  CHECK(*all.integer("none", 3) == 3);
  CHECK(*all.integer("absent", 4) == 4);
  CHECK(*all.number("rate", 0) == 0.001);
  CHECK(*all.number("epochs", 0) == 10.0);
  CHECK(*all.number("digits", 0) == 7.0);
  CHECK(*all.boolean("yes", false));
  CHECK_FALSE(*all.boolean("no", true));
  CHECK(*all.boolean("one", false));
  CHECK(*all.boolean("absent", true));
  CHECK(*all.text("name", "") == "resnet");
  CHECK(*all.text("version", "") == "1.0");
  CHECK(*all.text("no", "") == "False");
  CHECK(*all.text("absent", "x") == "x");
}

TEST_CASE("a text is a number where Python makes one of a script's argument") {
  const Hyperparameters all =
      read(R"({"plus": "+5", "rate": "+0.1", "large": "1_000", "half": ".5", "spaced": "\u000b7 ",
      "inf": "inf", "minus": "-Infinity", "nan": "nan", "signs": "+-5", "loose": "1__0",
      "quoted": "\" +8 \""})");
  CHECK(*all.integer("plus", 0) == 5);
  CHECK(*all.integer("large", 0) == 1000);
  CHECK(*all.integer("spaced", 0) == 7);
  CHECK(*all.integer("quoted", 0) == 8);
  CHECK(*all.number("plus", 0) == 5.0);
  CHECK(*all.number("rate", 0) == 0.1);
  CHECK(*all.number("large", 0) == 1000.0);
  CHECK(*all.number("half", 0) == 0.5);
  CHECK(*all.number("inf", 0) == INFINITY);
  CHECK(*all.number("minus", 0) == -INFINITY);
  CHECK(std::isnan(*all.number("nan", 0)));
  for (const char* none : {"signs", "loose"}) {
    CHECK_FALSE(all.integer(none, 0));
    CHECK_FALSE(all.number(none, 0));
  }
  CHECK_FALSE(all.integer("inf", 0));
  CHECK_FALSE(all.integer("half", 0));
}

TEST_CASE("a value of another kind is an error with name, value and what was expected") {
  const Hyperparameters all =
      read(R"({"epochs": "ten", "rate": "[1]", "big": "99999999999999999999",
      "half": "1.5", "layers": "{\"a\": 1}", "two": "2", "ten": "10"})");
  CHECK(all.integer("epochs", 1).error().message ==
        "hyperparameter \"epochs\" is a string (\"ten\"); it has to be an integer of at most 64 "
        "bits");
  CHECK(all.number("rate", 1).error().message ==
        "hyperparameter \"rate\" is a list; it has to be a number");
  CHECK_FALSE(all.integer("big", 1));
  CHECK_FALSE(all.integer("half", 1));
  CHECK_FALSE(all.boolean("two", true));
  CHECK_FALSE(all.boolean("ten", true));
  CHECK_FALSE(all.boolean("half", true));
  CHECK_FALSE(all.text("layers", ""));
}

TEST_CASE("a list where the object belongs is an error that says so") {
  CHECK(Hyperparameters::from_json(Json::Array{}).error().message ==
        "the file's value is a list; it has to be an object");
}
