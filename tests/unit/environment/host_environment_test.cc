#include "environment/host_environment.h"

#include <doctest/doctest.h>

#include <set>

#include "example_job.h"

using namespace trainit;
using namespace trainit::environment;
using test::ExampleJob;

namespace {

constexpr std::string_view kTwoHosts = R"({
  "current_group_name": "homogeneousCluster", "current_host": "algo-1",
  "current_instance_type": "ml.p4d.24xlarge", "hosts": ["algo-1", "algo-2"],
  "instance_groups": [{"instance_group_name": "homogeneousCluster",
                       "instance_type": "ml.p4d.24xlarge", "hosts": ["algo-1", "algo-2"]}],
  "network_interface_name": "eth0"})";

/// Two hosts of 8 GPUs with MPI switched on.
ExampleJob two_hosts() {
  ExampleJob example(
      R"({"sagemaker_program": "\"train.py\"", "sagemaker_job_name": "\"job-1\"",
          "sagemaker_region": "\"us-east-1\"", "sagemaker_container_log_level": "20",
          "sagemaker_submit_directory": "\"s3://bucket/job/source/sourcedir.tar.gz\"",
          "sagemaker_mpi_enabled": "true", "name": "\"resnet 50\"", "lr": "0.001",
          "batch-size": "256", "flag": "true", "none": "null"})",
      R"({"training": {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated",
                       "RecordWrapperType": "None"}, "my-data": {"TrainingInputMode": "File"}})",
      kTwoHosts);
  example.program = {"train.py", "s3://bucket/job/source/sourcedir.tar.gz", ""};
  example.hardware.gpus.devices.resize(8);
  example.hardware.gpus.source = "libcuda";
  example.hardware.cpus.online = 128;
  example.hardware.cpus.affinity = 96;
  example.inherit("SAGEMAKER_TRAINING_MODULE", "sagemaker_pytorch_container.training:main");
  example.inherit("TRAINING_JOB_NAME", "job-1");
  return example;
}

struct Expected {
  std::string_view name, value;
};

constexpr Expected kOfTheToolkit[] = {
    {"SM_HOSTS", R"(["algo-1","algo-2"])"},
    {"SM_NETWORK_INTERFACE_NAME", "eth0"},
    {"SM_HPS", R"({"batch-size":256,"flag":true,"lr":0.001,"name":"resnet 50","none":null})"},
    {"SM_USER_ENTRY_POINT", "train.py"},
    {"SM_FRAMEWORK_PARAMS", R"({"sagemaker_mpi_enabled":true})"},
    {"SM_RESOURCE_CONFIG",
     R"({"current_group_name":"homogeneousCluster","current_host":"algo-1","current_instance_type":"ml.p4d.24xlarge","hosts":["algo-1","algo-2"],"instance_groups":[{"hosts":["algo-1","algo-2"],"instance_group_name":"homogeneousCluster","instance_type":"ml.p4d.24xlarge"}],"network_interface_name":"eth0"})"},
    {"SM_INPUT_DATA_CONFIG",
     R"({"my-data":{"TrainingInputMode":"File"},"training":{"RecordWrapperType":"None","S3DistributionType":"FullyReplicated","TrainingInputMode":"File"}})"},
    {"SM_OUTPUT_DATA_DIR", "/opt/ml/output/data"},
    {"SM_CHANNELS", R"(["my-data","training"])"},
    {"SM_CURRENT_HOST", "algo-1"},
    {"SM_CURRENT_INSTANCE_TYPE", "ml.p4d.24xlarge"},
    {"SM_CURRENT_INSTANCE_GROUP", "homogeneousCluster"},
    {"SM_CURRENT_INSTANCE_GROUP_HOSTS", R"(["algo-1","algo-2"])"},
    {"SM_INSTANCE_GROUPS", R"(["homogeneousCluster"])"},
    {"SM_INSTANCE_GROUPS_DICT",
     R"({"homogeneousCluster":{"hosts":["algo-1","algo-2"],"instance_group_name":"homogeneousCluster","instance_type":"ml.p4d.24xlarge"}})"},
    {"SM_DISTRIBUTION_INSTANCE_GROUPS", R"(["homogeneousCluster"])"},
    {"SM_IS_HETERO", "false"},
    {"SM_MODULE_NAME", "train"},
    {"SM_LOG_LEVEL", "20"},
    {"SM_FRAMEWORK_MODULE", "sagemaker_pytorch_container.training:main"},
    {"SM_INPUT_DIR", "/opt/ml/input"},
    {"SM_INPUT_CONFIG_DIR", "/opt/ml/input/config"},
    {"SM_OUTPUT_DIR", "/opt/ml/output"},
    {"SM_OUTPUT_INTERMEDIATE_DIR", "/opt/ml/output/intermediate"},
    {"SM_MODEL_DIR", "/opt/ml/model"},
    {"SM_MODULE_DIR", "s3://bucket/job/source/sourcedir.tar.gz"},
    {"SM_NUM_CPUS", "96"},
    {"SM_NUM_GPUS", "8"},
    {"SM_NUM_NEURONS", "0"},
    {"SM_USER_ARGS",
     R"(["--batch-size","256","--flag","True","--lr","0.001","--name","resnet 50","--none",""])"},
    {"SM_CHANNEL_TRAINING", "/opt/ml/input/data/training"},
    {"SM_CHANNEL_MY-DATA", "/opt/ml/input/data/my-data"},
    {"SM_HP_BATCH-SIZE", "256"},
    {"SM_HP_LR", "0.001"},
    {"SM_HP_NAME", "resnet 50"},
    {"SM_HP_FLAG", "true"},
    {"SM_HP_NONE", ""},
    {"SAGEMAKER_JOB_NAME", "job-1"},
    {"CURRENT_HOST", "algo-1"},
    {"SAGEMAKER_REGION", "us-east-1"},
};

constexpr Expected kOfTheDrivers[] = {
    {"SM_MASTER_ADDR", "algo-1"},
    {"SM_MASTER_PORT", "7777"},
    {"SM_HOST_COUNT", "2"},
    {"SM_CURRENT_HOST_RANK", "0"},
    {"SM_INPUT_DATA_DIR", "/opt/ml/input/data"},
    {"SM_OUTPUT_FAILURE", "/opt/ml/output/failure"},
    {"SM_SOURCE_DIR", "/opt/ml/code"},
    {"SM_ENTRY_SCRIPT", "train.py"},
};

std::set<std::string> names_of(const ExampleJob& example) {
  std::set<std::string> names;
  const Environment variables = example.variables()->variables;
  for (const auto& [name, variable] : variables.variables()) names.insert(name);
  return names;
}

Json training_env(const ExampleJob& example) {
  return test::parse(example.value("SM_TRAINING_ENV"));
}

}  // namespace

TEST_CASE("every variable of the toolkit and of the v3 drivers is there, and no other") {
  const ExampleJob example = two_hosts();
  std::set<std::string> expected = {"SM_TRAINING_ENV", "SM_HP_BATCH_SIZE", "SM_CHANNEL_MY_DATA"};
  for (const Expected& variable : kOfTheToolkit) expected.emplace(variable.name);
  for (const Expected& variable : kOfTheDrivers) expected.emplace(variable.name);
  CHECK(names_of(example) == expected);
}

TEST_CASE("each has the toolkit's value, byte for byte") {
  const ExampleJob example = two_hosts();
  for (const Expected& expected : kOfTheToolkit) {
    CAPTURE(expected.name);
    CHECK(example.value(expected.name) == expected.value);
  }
}

TEST_CASE("the names of the v3 drivers are set for the toolkit's contract, too") {
  const ExampleJob example = two_hosts();
  for (const Expected& expected : kOfTheDrivers) {
    CAPTURE(expected.name);
    CHECK(example.value(expected.name) == expected.value);
  }
}

TEST_CASE("SM_TRAINING_ENV holds the toolkit's 37 keys") {
  CHECK(
      two_hosts().value("SM_TRAINING_ENV") ==
      R"({"additional_framework_parameters":{"sagemaker_mpi_enabled":true},)"
      R"("channel_input_dirs":{"my-data":"/opt/ml/input/data/my-data","training":"/opt/ml/input/data/training"},)"
      R"("current_host":"algo-1","current_instance_group":"homogeneousCluster",)"
      R"("current_instance_group_hosts":["algo-1","algo-2"],"current_instance_type":"ml.p4d.24xlarge",)"
      R"("distribution_hosts":["algo-1","algo-2"],"distribution_instance_groups":["homogeneousCluster"],)"
      R"("framework_module":"sagemaker_pytorch_container.training:main","hosts":["algo-1","algo-2"],)"
      R"("hyperparameters":{"batch-size":256,"flag":true,"lr":0.001,"name":"resnet 50","none":null},)"
      R"("input_config_dir":"/opt/ml/input/config",)"
      R"("input_data_config":{"my-data":{"TrainingInputMode":"File"},"training":{"RecordWrapperType":"None","S3DistributionType":"FullyReplicated","TrainingInputMode":"File"}},)"
      R"("input_dir":"/opt/ml/input","instance_groups":["homogeneousCluster"],)"
      R"("instance_groups_dict":{"homogeneousCluster":{"hosts":["algo-1","algo-2"],"instance_group_name":"homogeneousCluster","instance_type":"ml.p4d.24xlarge"}},)"
      R"("is_hetero":false,"is_master":true,"is_modelparallel_enabled":null,"is_smddpmprun_installed":false,)"
      R"("is_smddprun_installed":false,"job_name":"job-1","log_level":20,"master_hostname":"algo-1",)"
      R"("model_dir":"/opt/ml/model","module_dir":"s3://bucket/job/source/sourcedir.tar.gz","module_name":"train",)"
      R"("network_interface_name":"eth0","num_cpus":96,"num_gpus":8,"num_neurons":0,)"
      R"("output_data_dir":"/opt/ml/output/data","output_dir":"/opt/ml/output",)"
      R"("output_intermediate_dir":"/opt/ml/output/intermediate",)"
      R"("resource_config":{"current_group_name":"homogeneousCluster","current_host":"algo-1","current_instance_type":"ml.p4d.24xlarge","hosts":["algo-1","algo-2"],"instance_groups":[{"hosts":["algo-1","algo-2"],"instance_group_name":"homogeneousCluster","instance_type":"ml.p4d.24xlarge"}],"network_interface_name":"eth0"},)"
      R"("topology":[],"user_entry_point":"train.py"})");
}

TEST_CASE(
    "without a program, a job name or a framework the toolkit's words for nothing stand there") {
  const ExampleJob example;
  CHECK(example.value("SM_USER_ENTRY_POINT") == "");
  CHECK(example.value("SM_MODULE_NAME") == "None");
  CHECK(example.value("SM_MODULE_DIR") == "/opt/ml/code");
  CHECK(example.value("SM_FRAMEWORK_MODULE") == "");
  CHECK(example.value("SAGEMAKER_JOB_NAME") == "");
  CHECK(example.value("SM_ENTRY_SCRIPT") == "(not set)");
  const Json env = training_env(example);
  CHECK(env.object()->size() == 37);
  for (const char* key :
       {"framework_module", "job_name", "user_entry_point", "is_modelparallel_enabled"}) {
    CAPTURE(key);
    CHECK(env.find(key)->is_null());
  }
  CHECK(*env.find("module_name") == Json("None"));
}

TEST_CASE("model parallelism is read off the inherited variable, as the toolkit does") {
  const auto enabled = [](const char* value) {
    ExampleJob example(R"({"mp_parameters": {"partitions": 2}})");
    example.inherit("SM_HP_MP_PARAMETERS", value);
    return *training_env(example).find("is_modelparallel_enabled");
  };
  CHECK(enabled("") == Json(""));
  CHECK(enabled("{}") == Json(false));
  CHECK(enabled("{\"partitions\":2}") == Json(true));
}

TEST_CASE("the topology is a variable only when there is one") {
  CHECK(two_hosts().value("SM_TOPOLOGY") == "(not set)");
  const ExampleJob example("{}", "{}",
                           R"({"current_host": "algo-1", "hosts": ["algo-1"],
                               "topology": [{"hostName": "algo-1", "capacityUnitId": "u-1"}]})");
  CHECK(example.value("SM_TOPOLOGY") == R"([{"capacityUnitId":"u-1","hostName":"algo-1"}])");
}

TEST_CASE("a host of several groups sees its own group and the leader of the distributed one") {
  ExampleJob example(
      R"({"sagemaker_distribution_instance_groups": ["b"], "sagemaker_mpi_enabled": true})", "{}",
      R"({"current_host": "algo-2", "hosts": ["algo-1", "algo-2", "algo-3"], "current_group_name": "b",
          "instance_groups": [{"instance_group_name": "a", "instance_type": "ml.m5.large", "hosts": ["algo-1"]},
                              {"instance_group_name": "b", "instance_type": "ml.p5.48xlarge",
                               "hosts": ["algo-3", "algo-2"]}]})");
  CHECK(example.value("SM_IS_HETERO") == "true");
  CHECK(example.value("SM_INSTANCE_GROUPS") == R"(["a","b"])");
  CHECK(example.value("SM_CURRENT_INSTANCE_GROUP_HOSTS") == R"(["algo-3","algo-2"])");
  CHECK(*training_env(example).find("master_hostname") == Json("algo-3"));
  // The platform does not sort a group's hosts; ranks must be the same on each of them.
  CHECK(example.value("SM_MASTER_ADDR") == "algo-2");
  CHECK(example.value("SM_HOST_COUNT") == "2");
  CHECK(example.value("SM_CURRENT_HOST_RANK") == "0");
}

TEST_CASE("names are upper-cased as Python does it, and of equal names the last counts") {
  const ExampleJob example(R"({"größe": 1, "lr": 1, "LR": 2, "a b/c'": 3})");
  CHECK(example.value("SM_HP_GRÖSSE") == "1");
  CHECK(example.value("SM_HP_LR") == "2");
  CHECK(example.value("SM_HP_A B/C'") == "3");
  CHECK(ExampleJob(R"({"": "x"})").value("SM_HP_") == "x");
}

TEST_CASE("a name that a shell cannot have gets a second spelling") {
  const ExampleJob example(R"({"model.lr-rate": 1, "größe": 2})", R"({"my-data.v2": {}})");
  CHECK(example.value("SM_HP_MODEL.LR-RATE") == "1");
  CHECK(example.value("SM_HP_MODEL_LR_RATE") == "1");
  CHECK(example.value("SM_HP_GR_SSE") == "2");
  CHECK(example.value("SM_CHANNEL_MY-DATA.V2") == "/opt/ml/input/data/my-data.v2");
  CHECK(example.value("SM_CHANNEL_MY_DATA_V2") == "/opt/ml/input/data/my-data.v2");
}

TEST_CASE("a second spelling never takes another name's own variable, whatever their order") {
  CHECK(ExampleJob(R"({"a-b": 1, "a_b": 2})").value("SM_HP_A_B") == "2");
  CHECK(ExampleJob(R"({"A_B": 2, "a-b": 1, "a.b": 3})").value("SM_HP_A_B") == "2");
}

TEST_CASE("of two equal second spellings the one without a dot counts, then the last") {
  CHECK(ExampleJob(R"({"a-b": 1, "a.b": 2})").value("SM_HP_A_B") == "1");
  CHECK(ExampleJob(R"({"a.b": 2, "a-b": 1})").value("SM_HP_A_B") == "1");
  CHECK(ExampleJob(R"({"a.b": 1, "a b": 2})").value("SM_HP_A_B") == "2");
}

TEST_CASE("the region is the hyperparameter's, else AWS's own variables'") {
  ExampleJob example;
  CHECK(example.value("SAGEMAKER_REGION") == "");
  CHECK(example.value("AWS_DEFAULT_REGION") == "(not set)");
  example.inherit("AWS_REGION", "eu-west-1");
  CHECK(example.value("SAGEMAKER_REGION") == "eu-west-1");
  CHECK(example.value("AWS_DEFAULT_REGION") == "eu-west-1");
  example.inherit("AWS_DEFAULT_REGION", "eu-central-1");
  CHECK(example.value("SAGEMAKER_REGION") == "eu-central-1");
  CHECK(example.value("AWS_DEFAULT_REGION") == "(not set)");
}

TEST_CASE("a job whose name is a number has a name all the same") {
  CHECK(ExampleJob(R"({"sagemaker_job_name": "123"})").value("SAGEMAKER_JOB_NAME") == "123");
  CHECK(ExampleJob(R"({"sagemaker_job_name": "1e5"})").value("SAGEMAKER_JOB_NAME") == "1e5");
  CHECK(ExampleJob(R"({"sagemaker_job_name": "true"})").value("SAGEMAKER_JOB_NAME") == "true");
  CHECK(ExampleJob(R"({"sagemaker_job_name": "null"})").value("SAGEMAKER_JOB_NAME") == "");
}

TEST_CASE("directories that the platform configured are told, and only these") {
  ExampleJob example;
  for (const char* name : {"SM_CHECKPOINT_DIR", "SM_TENSORBOARD_DIR", "SM_DEBUGGER_DIR",
                           "SM_PROFILER_DIR", "SM_MAX_RUNTIME_SECONDS", "SM_RUN_NUMBER"}) {
    CAPTURE(name);
    CHECK(example.value(name) == "(not set)");
  }
  example.job.checkpoint_directory = "/opt/ml/checkpoints/";
  example.job.tensorboard_directory = "/opt/ml/output/tensorboard/";
  example.job.debugger_directory = "/opt/ml/output/tensors";
  example.job.profiler_directory = "/opt/ml/output/profiler";
  example.job.max_runtime = std::chrono::hours(24);
  example.job.run_number = 2;
  CHECK(example.value("SM_CHECKPOINT_DIR") == "/opt/ml/checkpoints/");
  CHECK(example.value("SM_TENSORBOARD_DIR") == "/opt/ml/output/tensorboard/");
  CHECK(example.value("SM_DEBUGGER_DIR") == "/opt/ml/output/tensors");
  CHECK(example.value("SM_PROFILER_DIR") == "/opt/ml/output/profiler");
  CHECK(example.value("SM_MAX_RUNTIME_SECONDS") == "86400");
  CHECK(example.value("SM_RUN_NUMBER") == "2");
}

TEST_CASE("an aggregate that no process can be given is left out and named") {
  const auto with_value_of = [](std::size_t bytes) {
    return ExampleJob(R"({"text": ")" + std::string(bytes, 'x') + "\"}");
  };
  // SM_HPS={"text":"…"} and its NUL: 7 + 11 + 1 bytes around the value.
  const ExampleJob fits = with_value_of(kMaxVariableBytes - 19);
  CHECK(fits.value("SM_HPS").size() == kMaxVariableBytes - 8);
  CHECK(fits.variables()->left_out == std::vector<std::string>{"SM_USER_ARGS", "SM_TRAINING_ENV"});
  const ExampleJob too_long = with_value_of(kMaxVariableBytes - 18);
  CHECK(too_long.value("SM_HPS") == "(not set)");
  CHECK(too_long.value("SM_HP_TEXT").size() == kMaxVariableBytes - 18);
  CHECK(too_long.variables()->left_out ==
        std::vector<std::string>{"SM_HPS", "SM_USER_ARGS", "SM_TRAINING_ENV"});
}

TEST_CASE("what no process can be given as a variable is one sentence with file, key and value") {
  const std::string place = "/opt/ml/input/config/hyperparameters.json: ";
  CHECK(
      ExampleJob(R"({"name": "a\u0000b"})").error() ==
      place +
          R"(the value of "name", "a\u0000b", has a NUL character, which no process can be given)");
  CHECK(ExampleJob(R"({"a=b": 1})").error() ==
        place + R"(the name "a=b" has a '=', which no environment variable's name can have)");
  CHECK(ExampleJob(R"({"a\u0000": 1})").error() ==
        place + R"(the name "a\u0000" has a NUL character, which no process can be given)");
  CHECK(
      ExampleJob(R"({"name": "\ud800"})").error() ==
      place +
          R"(the value of "name", "\ud800", has the lone surrogate U+D800, which is no character)");
  CHECK(
      ExampleJob("{}", R"({"a=b": {}})").error() ==
      "/opt/ml/input/config/inputdataconfig.json: the name \"a=b\" has a '=', which no environment "
      "variable's name can have");
}

TEST_CASE("the sentence about a secret does not show it") {
  CHECK(ExampleJob(R"({"api_key": "hunter2\u0000"})").error() ==
        "/opt/ml/input/config/hyperparameters.json: the value of \"api_key\" has a NUL character, "
        "which "
        "no process can be given");
}

TEST_CASE("the same characters inside lists and objects are escaped and harmless") {
  const ExampleJob example(R"({"list": ["a\u0000b", "\ud800", "="]})");
  CHECK(example.value("SM_HP_LIST") == R"(["a\u0000b","\ud800","="])");
}

TEST_CASE("each variable says where its value comes from") {
  ExampleJob example = two_hosts();
  example.job.checkpoint_directory = "/opt/ml/checkpoints";
  const auto variables = example.variables()->variables;
  const auto origin = [&](std::string_view name) {
    REQUIRE_MESSAGE(variables.has(name), name);
    return variables.variables().find(name)->second.origin;
  };
  CHECK(origin("SM_HP_LR") == "hyperparameters.json");
  CHECK(origin("SM_HP_BATCH_SIZE") == "hyperparameters.json, as SM_HP_BATCH-SIZE");
  CHECK(origin("SM_CHANNEL_TRAINING") == "inputdataconfig.json");
  CHECK(origin("SM_HOSTS") == "resourceconfig.json");
  CHECK(origin("SM_NUM_GPUS") == "this machine, by libcuda");
  CHECK(origin("SM_MODEL_DIR") == "trainit");
  CHECK(origin("SM_CHECKPOINT_DIR") == "checkpointconfig.json");
  CHECK(origin("SM_MASTER_ADDR") == "resourceconfig.json");
}

namespace {

std::string origin_in(ExampleJob& example, std::string_view name) {
  const auto variables = example.variables()->variables;
  REQUIRE_MESSAGE(variables.has(name), name);
  return variables.variables().find(name)->second.origin;
}

}  // namespace

TEST_CASE("where nothing was given the value is ours, not that of a file that lacks it") {
  ExampleJob example("{}", "{}", R"({"hosts": ["algo-1"], "current_host": "algo-1"})");
  for (const char* name :
       {"SM_CURRENT_INSTANCE_TYPE", "SM_NETWORK_INTERFACE_NAME", "SM_CURRENT_INSTANCE_GROUP",
        "SAGEMAKER_JOB_NAME", "SAGEMAKER_REGION", "SM_FRAMEWORK_MODULE", "SM_LOG_LEVEL",
        "SM_MODULE_DIR", "SM_CHANNELS", "SM_INPUT_DATA_CONFIG", "SM_HPS", "SM_USER_ARGS",
        "SM_FRAMEWORK_PARAMS"}) {
    CAPTURE(name);
    CHECK(origin_in(example, name) == "trainit");
  }
  CHECK(origin_in(example, "SM_HOSTS") == "resourceconfig.json");
  example.inherit("AWS_REGION", "eu-west-1");
  CHECK(origin_in(example, "SAGEMAKER_REGION") == "AWS_REGION");
}

TEST_CASE("a place among the hosts that an option chose is said to come from there") {
  ExampleJob example = two_hosts();
  example.place_source = "--nnodes";
  for (const char* name : {"SM_MASTER_ADDR", "SM_HOST_COUNT", "SM_CURRENT_HOST_RANK"})
    CHECK(origin_in(example, name) == "--nnodes");
  CHECK(origin_in(example, "SM_HOSTS") == "resourceconfig.json");
  example.contract = Contract::kV3;
  CHECK(origin_in(example, "SM_HOST_COUNT") == "resourceconfig.json");
}

TEST_CASE("a relative base directory is told as what it means here") {
  ExampleJob example;
  example.job.paths = Paths::below("/somewhere/job");
  CHECK(example.value("SAGEMAKER_BASE_DIR") == "(not set)");
  example.inherit("SAGEMAKER_BASE_DIR", "/somewhere/job");
  CHECK(example.value("SAGEMAKER_BASE_DIR") == "(not set)");
  example.inherit("SAGEMAKER_BASE_DIR", "job");
  CHECK(example.value("SAGEMAKER_BASE_DIR") == "/somewhere/job");
}

// ------------------------------------------------------------------ the contract of the v3 drivers

namespace {

ExampleJob for_v3() {
  ExampleJob example(
      R"({"name": "resnet 50", "layers": "[64, {\"b\": 1, \"a\": 2}]", "none": "null", "batch-size": "256",
          "sagemaker_program": "train.py", "trainit_workers": "2"})",
      R"({"train": {"TrainingInputMode": "File"}, "code": {"TrainingInputMode": "File"}})",
      R"({"hosts": ["algo-2", "algo-10", "algo-1"], "current_host": "algo-2",
          "current_instance_type": "ml.g5.xlarge", "network_interface_name": "eth0"})");
  example.contract = Contract::kV3;
  example.inherit("TRAINING_JOB_NAME", "job-1");
  return example;
}

constexpr Expected kUnderV3[] = {
    {"SM_HPS",
     R"({"name": "resnet 50", "layers": [64, {"b": 1, "a": 2}], "none": null, "batch-size": 256, "sagemaker_program": "train.py"})"},
    {"SM_HP_NAME", "resnet 50"},
    {"SM_HP_LAYERS", R"([64, {"b": 1, "a": 2}])"},
    {"SM_HP_NONE", "null"},
    {"SM_HP_BATCH_SIZE", "256"},
    {"SM_HP_BATCH-SIZE", "256"},
    {"SM_HP_SAGEMAKER_PROGRAM", "train.py"},
    {"SM_CHANNELS", R"(["train", "code"])"},
    {"SM_HOSTS", R"(["algo-1", "algo-10", "algo-2"])"},
    {"SM_HOST_COUNT", "3"},
    {"SM_CURRENT_HOST_RANK", "2"},
    {"SM_MASTER_ADDR", "algo-1"},
    {"SM_LOG_LEVEL", "20"},
    {"SM_RESOURCE_CONFIG",
     R"({"hosts": ["algo-2", "algo-10", "algo-1"], "current_host": "algo-2", "current_instance_type": "ml.g5.xlarge", "network_interface_name": "eth0"})"},
    {"SM_INPUT_DATA_CONFIG",
     R"({"train": {"TrainingInputMode": "File"}, "code": {"TrainingInputMode": "File"}})"},
    {"SM_TRAINING_ENV",
     R"({"channel_input_dirs": {"train": "/opt/ml/input/data/train", "code": "/opt/ml/input/data/code"}, "current_host": "algo-2", "current_instance_type": "ml.g5.xlarge", "hosts": ["algo-1", "algo-10", "algo-2"], "master_addr": "algo-1", "master_port": 7777, "hyperparameters": {"name": "resnet 50", "layers": [64, {"b": 1, "a": 2}], "none": null, "batch-size": 256, "sagemaker_program": "train.py"}, "input_data_config": {"train": {"TrainingInputMode": "File"}, "code": {"TrainingInputMode": "File"}}, "input_config_dir": "/opt/ml/input/config", "input_data_dir": "/opt/ml/input/data", "input_dir": "/opt/ml/input", "job_name": "job-1", "log_level": 20, "model_dir": "/opt/ml/model", "network_interface_name": "eth0", "num_cpus": 1, "num_gpus": 0, "num_neurons": 0, "output_data_dir": "/opt/ml/output/data", "resource_config": {"hosts": ["algo-2", "algo-10", "algo-1"], "current_host": "algo-2", "current_instance_type": "ml.g5.xlarge", "network_interface_name": "eth0"}})"},
    // What only the toolkit has keeps the toolkit's form.
    {"SM_CURRENT_INSTANCE_GROUP", "homogeneousCluster"},
    {"SM_USER_ARGS",
     R"(["--batch-size","256","--layers","[64, {'b': 1, 'a': 2}]","--name","resnet 50","--none",""])"},
};

}  // namespace

TEST_CASE("under the v3 contract its drivers win wherever the two contradict each other") {
  const ExampleJob example = for_v3();
  for (const Expected& expected : kUnderV3) {
    CAPTURE(expected.name);
    CHECK(example.value(expected.name) == expected.value);
  }
  CHECK(example.value("SM_HP_TRAINIT_WORKERS") == "(not set)");
}

TEST_CASE("the v3 log level is the inherited variable, as text") {
  ExampleJob example = for_v3();
  example.inherit("SM_LOG_LEVEL", "10");
  CHECK(example.value("SM_LOG_LEVEL") == "10");
  CHECK(*training_env(example).find("log_level") == Json("10"));
}

TEST_CASE("a trn2.48xlarge has 64 logical cores for the toolkit, and what was counted for v3") {
  ExampleJob example("{}", "{}",
                     R"({"current_host": "algo-1", "hosts": ["algo-1"],
                         "current_instance_type": "ml.trn2.48xlarge"})");
  example.hardware.neuron_cores = 32;
  CHECK(example.value("SM_NUM_NEURONS") == "64");
  example.contract = Contract::kV3;
  CHECK(example.value("SM_NUM_NEURONS") == "32");
}
