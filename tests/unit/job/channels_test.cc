#include "trainit/channels.h"

#include <doctest/doctest.h>

using namespace trainit;

namespace {

Result<std::vector<Channel>> read(std::string_view file,
                                  std::vector<std::string>* warnings = nullptr) {
  Result<Json> json = Json::parse(file);
  REQUIRE(json);
  return channels_from_json(*json, "/opt/ml/input/data", warnings);
}

std::string error(const Json& file) {
  const Result<std::vector<Channel>> channels = channels_from_json(file, "/data");
  REQUIRE_FALSE(channels);
  return channels.error().message;
}

}  // namespace

TEST_CASE("channels come in file order with all that the platform says of them") {
  const auto channels = read(R"({
      "train": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None", "ContentType": "text/csv"},
      "my-data.v2": {"TrainingInputMode": "FastFile"},
      "stream": {"TrainingInputMode": "Pipe", "S3DistributionType": "ShardedByS3Key",
                 "RecordWrapperType": "RecordIO"}})");
  REQUIRE(channels);
  REQUIRE(channels->size() == 3);
  const Channel& train = channels->at(0);
  CHECK(train.name == "train");
  CHECK(train.path == "/opt/ml/input/data/train");
  CHECK(train.mode == InputMode::kFile);
  CHECK(train.content_type == "text/csv");
  CHECK_FALSE(train.sharded);
  CHECK_FALSE(train.record_io);
  CHECK(channels->at(1).path == "/opt/ml/input/data/my-data.v2");
  CHECK(channels->at(1).mode == InputMode::kFastFile);
  CHECK(channels->at(2).mode == InputMode::kPipe);
  CHECK(channels->at(2).sharded);
  CHECK(channels->at(2).record_io);
}

TEST_CASE("what is not said has its default, and upper-case words mean the same") {
  const auto channels = read(R"({"a": {}, "b": null, "c": {"ContentType": null},
                                 "d": {"TrainingInputMode": "FASTFILE"}})");
  REQUIRE(channels);
  CHECK(channels->at(0).mode == InputMode::kFile);
  CHECK(channels->at(1).path == "/opt/ml/input/data/b");
  CHECK(channels->at(2).content_type.empty());
  CHECK(channels->at(3).mode == InputMode::kFastFile);
  CHECK(read("{}")->empty());
}

TEST_CASE("an unknown mode is taken for File and said") {
  std::vector<std::string> warnings;
  const auto channels = read(R"({"a": {"TrainingInputMode": "Tape"}})", &warnings);
  REQUIRE(channels);
  CHECK(channels->at(0).mode == InputMode::kFile);
  CHECK(warnings ==
        std::vector<std::string>{
            "channel \"a\" has the unknown TrainingInputMode \"Tape\" and is taken for File"});
}

TEST_CASE("a name that no directory below the input data can have is refused") {
  CHECK(error(Json::Object{{"", Json::Object{}}}).find("empty name") != std::string::npos);
  for (const char* name : {"a/b", "/etc", ".", "..", "../model"}) {
    CAPTURE(name);
    CHECK(error(Json::Object{{name, Json::Object{}}})
              .starts_with("\"" + std::string(name) + "\" cannot be the name of a channel"));
  }
  const std::string with_nul("a\0b", 3);
  CHECK(error(Json::Object{{with_nul, Json::Object{}}}).find("NUL") != std::string::npos);
  CHECK(channels_from_json(Json::Object{{"a.-_B9", Json::Object{}}}, "/data"));
}

TEST_CASE("a key of the wrong kind is named with what stands there and what belongs there") {
  CHECK(error(Json::Array{}) == "the file's value is a list; it has to be an object");
  CHECK(error(Json::Object{{"train", "File"}}) ==
        "channel \"train\": its description is a string (\"File\"); it has to be an object");
  CHECK(error(Json::Object{{"train", Json::Object{{"TrainingInputMode", 3}}}}) ==
        "channel \"train\": \"TrainingInputMode\" is an integer (3); it has to be a string");
}
