#include "trainit/resources.h"

#include <doctest/doctest.h>

using namespace trainit;

namespace {

Result<Resources> read(std::string_view file) {
  Result<Json> json = Json::parse(file);
  REQUIRE(json);
  return Resources::from_json(*json);
}

std::string error(std::string_view file) {
  const Result<Resources> resources = read(file);
  REQUIRE_FALSE(resources);
  return resources.error().message;
}

}  // namespace

TEST_CASE("a modern file is read whole, and groups keep the platform's order") {
  const auto resources =
      read(R"({"current_host": "algo-1", "current_instance_type": "ml.g4dn.xlarge",
      "current_group_name": "workers", "hosts": ["algo-1", "algo-10", "algo-2"],
      "instance_groups": [{"instance_group_name": "workers", "instance_type": "ml.g4dn.xlarge",
                           "hosts": ["algo-2", "algo-1"]},
                          {"instance_group_name": "data", "instance_type": "ml.c5.xlarge",
                           "hosts": ["algo-10"]}],
      "network_interface_name": "eth1", "topology": [{"hostName": "algo-1", "capacityUnitId": "u-1"}]})");
  REQUIRE(resources);
  CHECK(resources->current_host == "algo-1");
  CHECK(resources->hosts == std::vector<std::string>{"algo-1", "algo-10", "algo-2"});
  CHECK(resources->instance_type == "ml.g4dn.xlarge");
  CHECK(resources->group_name == "workers");
  REQUIRE(resources->groups.size() == 2);
  CHECK(resources->groups[0].hosts == std::vector<std::string>{"algo-2", "algo-1"});
  CHECK(resources->groups[1].name == "data");
  CHECK(resources->groups[1].instance_type == "ml.c5.xlarge");
  CHECK(resources->network_interface == "eth1");
  CHECK(resources->topology.array()->size() == 1);
  CHECK(*resources->file.find("current_group_name") == Json("workers"));
  CHECK(resources->from_platform);
}

TEST_CASE("the two keys of old jobs are enough") {
  const auto resources = read(R"({"current_host": "algo-1", "hosts": ["algo-1"]})");
  REQUIRE(resources);
  CHECK(resources->instance_type == "local");
  CHECK(resources->group_name == "homogeneousCluster");
  CHECK(resources->network_interface == "eth0");
  CHECK(resources->groups.empty());
  CHECK(resources->topology == Json(Json::Array{}));
}

TEST_CASE("a host that is not among the hosts is an error that names both") {
  CHECK(error(R"({"current_host": "algo-3", "hosts": ["algo-1", "algo-2"]})") ==
        "\"current_host\" is \"algo-3\", which is not among \"hosts\" (algo-1, algo-2)");
  CHECK(error(R"({"current_host": "x", "hosts": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]})") ==
        "\"current_host\" is \"x\", which is not among \"hosts\" (1, 2, 3, 4, 5, 6, 7, 8 … 9 in "
        "all)");
}

TEST_CASE("each key that is missing or of the wrong kind has its sentence") {
  CHECK(error("[]") == "the file's value is a list; it has to be an object");
  CHECK(error("{}") == "\"current_host\" is missing; it has to be a string that is not empty");
  CHECK(error(R"({"current_host": "a"})") == "\"hosts\" is missing; it has to be a list of names");
  CHECK(error(R"({"current_host": "a", "hosts": "a"})") ==
        "\"hosts\" is a string (\"a\"); it has to be a list of names");
  CHECK(error(R"({"current_host": "a", "hosts": []})") ==
        "\"hosts\" is an empty list; it has to name each host");
  CHECK(error(R"({"current_host": "a", "hosts": ["a", 2]})") ==
        "an item of \"hosts\" is an integer (2); it has to be a string that is not empty");
  CHECK(error(R"({"current_host": "a", "hosts": ["a", "b", "a"]})") ==
        "\"hosts\" names \"a\" twice; each host has to stand there once");
  CHECK(error(R"({"current_host": "a", "hosts": ["a"], "current_instance_type": 5})") ==
        "\"current_instance_type\" is an integer (5); it has to be a string");
  CHECK(error(R"({"current_host": "a", "hosts": ["a"], "instance_groups": {}})") ==
        "\"instance_groups\" is an object; it has to be a list of objects");
  CHECK(
      error(R"({"current_host": "a", "hosts": ["a"], "instance_groups": [{"hosts": ["a"]}]})") ==
      "\"instance_groups\", item 1: \"instance_group_name\" is missing; it has to be a string that "
      "is not empty");
}

TEST_CASE("a host by itself looks like a platform's job of one host") {
  const Resources alone = Resources::single("laptop");
  CHECK(alone.hosts == std::vector<std::string>{"laptop"});
  CHECK_FALSE(alone.from_platform);
  const auto read_back = Resources::from_json(alone.file);
  REQUIRE(read_back);
  CHECK(read_back->current_host == alone.current_host);
  CHECK(read_back->groups.size() == 1);
  CHECK(read_back->groups[0].hosts == alone.groups[0].hosts);
  CHECK(read_back->instance_type == alone.instance_type);
  CHECK(read_back->network_interface == alone.network_interface);
}
