#include "environment/host_environment.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/python_text.h"
#include "environment/host_facts.h"
#include "environment/hyperparameter_text.h"
#include "environment/variable_writer.h"
#include "sys/files.h"

namespace trainit::environment {
namespace {

constexpr std::string_view kHyperparameters = "hyperparameters.json";
constexpr std::string_view kChannels = "inputdataconfig.json";
constexpr std::string_view kMachine = "this machine";
constexpr std::string_view kTrainit = "trainit";

void write_directories(VariableWriter& out, const HostFacts& facts) {
  const Paths& paths = facts.job.paths;
  const std::string* base = facts.inherited.find("SAGEMAKER_BASE_DIR");
  const auto directory = [&](std::string_view name, const std::string& path) {
    out.text(name, path, base != nullptr ? "SAGEMAKER_BASE_DIR" : kTrainit);
  };
  // A script runs in its own directory, where a relative path would be another job's.
  if (base != nullptr && !base->starts_with('/')) directory("SAGEMAKER_BASE_DIR", paths.base);
  directory("SM_MODEL_DIR", paths.model);
  directory("SM_INPUT_DIR", paths.input);
  directory("SM_INPUT_DATA_DIR", paths.input_data);
  directory("SM_INPUT_CONFIG_DIR", paths.input_config);
  directory("SM_OUTPUT_DIR", paths.output);
  directory("SM_OUTPUT_DATA_DIR", paths.output_data);
  directory("SM_OUTPUT_INTERMEDIATE_DIR", paths.output_intermediate);
  directory("SM_OUTPUT_FAILURE", paths.failure);
}

/// Where what we know of the hosts comes from.
std::string_view hosts_origin(const HostFacts& facts) {
  return facts.job.resources.from_platform ? "resourceconfig.json" : kMachine;
}

/// The same of one key, for which there is a default.
std::string_view hosts_origin(const HostFacts& facts, std::string_view key) {
  const Json* value = facts.job.resources.file.find(key);
  return value == nullptr || value->is_null() ? kTrainit : hosts_origin(facts);
}

/// Where the place among the hosts comes from: an option may have moved it.
std::string_view place_origin(const HostFacts& facts) {
  return facts.contract == Contract::kToolkit ? facts.cluster.source : hosts_origin(facts);
}

/// `origin` when something was given there, else it is a default of ours.
std::string_view origin_if(bool given, std::string_view origin) {
  return given ? origin : kTrainit;
}

void write_hosts(VariableWriter& out, const HostFacts& facts) {
  const Resources& resources = facts.job.resources;
  const std::string_view origin = hosts_origin(facts);
  out.both("SM_HOSTS", json_list(facts.hosts()), origin);
  out.text("SM_CURRENT_HOST", resources.current_host, origin);
  out.text("CURRENT_HOST", resources.current_host, origin);
  out.text("SM_CURRENT_INSTANCE_TYPE", resources.instance_type,
           hosts_origin(facts, "current_instance_type"));
  out.text("SM_NETWORK_INTERFACE_NAME", resources.network_interface,
           hosts_origin(facts, "network_interface_name"));
  out.both("SM_RESOURCE_CONFIG", resources.file, origin);
  if (resources.topology.truthy()) out.toolkit("SM_TOPOLOGY", resources.topology, origin);
  out.text("SM_MASTER_ADDR", facts.cluster.leader, facts.cluster.source);
  out.both("SM_MASTER_PORT", kMasterPort, kTrainit);
  out.both("SM_HOST_COUNT", facts.host_count(), place_origin(facts));
  out.both("SM_CURRENT_HOST_RANK", facts.host_rank(), place_origin(facts));
}

void write_groups(VariableWriter& out, const HostFacts& facts) {
  const std::string_view origin = hosts_origin(facts);
  const auto names = facts.group_names();
  out.text("SM_CURRENT_INSTANCE_GROUP", facts.job.resources.group_name,
           hosts_origin(facts, "current_group_name"));
  out.toolkit("SM_CURRENT_INSTANCE_GROUP_HOSTS", json_list(facts.group_hosts()), origin);
  out.toolkit("SM_INSTANCE_GROUPS", json_list(names), origin);
  out.toolkit("SM_INSTANCE_GROUPS_DICT", facts.groups_by_name(), origin);
  out.toolkit("SM_DISTRIBUTION_INSTANCE_GROUPS", json_list(facts.distribution.groups), origin);
  out.toolkit("SM_IS_HETERO", names.size() > 1, origin);
}

void write_hardware(VariableWriter& out, const HostFacts& facts) {
  const Hardware& hardware = facts.hardware;
  const std::string gpus = hardware.gpus.source.empty() || hardware.gpus.source == "none"
                               ? std::string(kMachine)
                               : fmt::format("{}, by {}", kMachine, hardware.gpus.source);
  out.both("SM_NUM_CPUS", hardware.cpus.usable(), kMachine);
  out.both("SM_NUM_GPUS", hardware.gpus.count(), gpus);
  out.both("SM_NUM_NEURONS", facts.neuron_cores(), kMachine);
}

std::string_view program_origin(const HostFacts& facts) {
  if (!facts.inherited.get_or("SAGEMAKER_PROGRAM", "").empty()) return "SAGEMAKER_PROGRAM";
  return facts.program.name.empty() ? kTrainit : kHyperparameters;
}

/// Whether this parameter of the platform's is there, and not null.
bool is_given(const HostFacts& facts, std::string_view name) {
  const Json* value = facts.job.hyperparameters.platform(name);
  return value != nullptr && !value->is_null();
}

std::string_view log_level_origin(const HostFacts& facts) {
  if (facts.contract == Contract::kV3)
    return facts.inherited.has("SM_LOG_LEVEL") ? "SM_LOG_LEVEL" : kTrainit;
  return origin_if(is_given(facts, "sagemaker_container_log_level"), kHyperparameters);
}

void write_program(VariableWriter& out, const HostFacts& facts) {
  const auto& program = facts.program;
  const std::string framework = facts.inherited.get_or("SAGEMAKER_TRAINING_MODULE", "");
  out.text("SM_USER_ENTRY_POINT", program.name, program_origin(facts));
  out.text("SM_MODULE_NAME", facts.module_name(), program_origin(facts));
  out.text("SM_MODULE_DIR", facts.module_directory(),
           origin_if(is_given(facts, "sagemaker_submit_directory"), kHyperparameters));
  out.text("SM_FRAMEWORK_MODULE", framework,
           origin_if(!framework.empty(), "SAGEMAKER_TRAINING_MODULE"));
  out.both("SM_LOG_LEVEL", facts.log_level(), log_level_origin(facts));
}

/// What the v3 drivers say of the code, and the same of a script that came the older way.
void write_source(VariableWriter& out, const HostFacts& facts) {
  const Paths& paths = facts.job.paths;
  const std::string drivers = sys::join_path(paths.input_data, "sm_drivers");
  if (facts.drivers.source_code) {
    const Json* script = facts.drivers.source_code->find("entry_script");
    const bool named = script != nullptr && script->string() != nullptr;
    out.text("SM_SOURCE_DIR", sys::join_path(paths.input_data, "code"), "sourcecode.json");
    out.text("SM_ENTRY_SCRIPT", named ? *script->string() : facts.program.name, "sourcecode.json");
  } else if (!facts.program.name.empty()) {
    const std::string& directory = facts.program.directory;
    out.text("SM_SOURCE_DIR", directory.empty() ? paths.code : directory, kTrainit);
    out.text("SM_ENTRY_SCRIPT", facts.program.name, program_origin(facts));
  }
  if (facts.drivers.distributed) {
    out.text("SM_DISTRIBUTED_DRIVER_DIR", sys::join_path(drivers, "distributed_drivers"), kTrainit);
    out.text("SM_DISTRIBUTED_CONFIG", dump_json(*facts.drivers.distributed, JsonStyle::kPython),
             "distributed.json");
  }
}

void write_hyperparameters(VariableWriter& out, const HostFacts& facts) {
  VariableWriter::Named values;
  for (const auto& [name, value] : facts.hyperparameters) {
    values.emplace_back(name, variable_text(value, facts.contract));
  }
  out.named("SM_HP_", values, kHyperparameters);
  const auto all = [](const Json::Object& given) {
    return origin_if(!given.empty(), kHyperparameters);
  };
  const auto& parameters = facts.job.hyperparameters;
  out.both("SM_HPS", facts.hyperparameters, all(facts.hyperparameters));
  out.toolkit("SM_FRAMEWORK_PARAMS", parameters.framework(), all(parameters.framework()));
  const auto arguments = argument_texts(parameters.user(), ArgumentStyle::kToolkit);
  out.toolkit("SM_USER_ARGS", json_list(arguments), all(parameters.user()));
}

void write_channels(VariableWriter& out, const HostFacts& facts) {
  VariableWriter::Named values;
  std::vector<std::string> names;
  for (const auto& channel : facts.job.channels) {
    values.emplace_back(channel.name, channel.path);
    names.push_back(channel.name);
  }
  if (facts.contract == Contract::kToolkit) std::sort(names.begin(), names.end());
  out.named("SM_CHANNEL_", values, kChannels);
  const std::string_view origin = origin_if(!names.empty(), kChannels);
  out.both("SM_CHANNELS", json_list(names), origin);
  out.both("SM_INPUT_DATA_CONFIG", facts.job.input_data_config, origin);
}

/// A platform parameter as text; empty when absent or null.
std::string parameter_text(const HostFacts& facts, std::string_view name) {
  const Json* value = facts.job.hyperparameters.platform(name);
  return value == nullptr || value->is_null() ? "" : python::str(*value);
}

void write_platform(VariableWriter& out, const HostFacts& facts) {
  const Environment& inherited = facts.inherited;
  const std::string aws_region = inherited.get_or("AWS_REGION", "");
  out.text("SAGEMAKER_JOB_NAME", parameter_text(facts, "sagemaker_job_name"),
           origin_if(is_given(facts, "sagemaker_job_name"), kHyperparameters));
  if (facts.job.hyperparameters.platform("sagemaker_region") != nullptr) {
    out.text("SAGEMAKER_REGION", parameter_text(facts, "sagemaker_region"), kHyperparameters);
  } else {
    const char* source = inherited.has("AWS_DEFAULT_REGION") ? "AWS_DEFAULT_REGION" : "AWS_REGION";
    out.text("SAGEMAKER_REGION", inherited.get_or(source, ""),
             origin_if(inherited.has(source), source));
  }
  if (!inherited.has("AWS_DEFAULT_REGION") && !aws_region.empty()) {
    // The service sets the one, most of AWS's own libraries read the other.
    out.text("AWS_DEFAULT_REGION", aws_region, "AWS_REGION");
  }
}

/// Neither peer has these: what else the platform's files tell.
void write_additions(VariableWriter& out, const HostFacts& facts) {
  const TrainingJob& job = facts.job;
  const auto directory = [&](std::string_view name, const std::string& path,
                             std::string_view origin) {
    if (!path.empty()) out.text(name, path, origin);
  };
  directory("SM_CHECKPOINT_DIR", job.checkpoint_directory, "checkpointconfig.json");
  directory("SM_TENSORBOARD_DIR", job.tensorboard_directory, "tensorboardoutputconfig.json");
  directory("SM_DEBUGGER_DIR", job.debugger_directory, "debughookconfig.json");
  directory("SM_PROFILER_DIR", job.profiler_directory, "profilerconfig.json");
  if (job.max_runtime) {
    out.text("SM_MAX_RUNTIME_SECONDS", std::to_string(job.max_runtime->count()),
             "trainingjobconfig.json");
  }
  if (job.run_number)
    out.text("SM_RUN_NUMBER", std::to_string(*job.run_number), "init-config.json");
}

/// The names of channels become names of variables; their paths hold the same characters.
Result<void> check_channels(const TrainingJob& job) {
  Json::Object names;
  for (const auto& channel : job.channels) names.push_back({channel.name, Json()});
  return check_hyperparameters(names, sys::join_path(job.paths.input_config, kChannels));
}

}  // namespace

Result<HostEnvironment> host_environment(const TrainingJob& job, const Hardware& hardware,
                                         const Cluster& cluster, const Program& program,
                                         const Environment& inherited, Contract contract) {
  const auto& visible = visible_hyperparameters(job.hyperparameters, contract);
  TRAINIT_TRY(
      check_hyperparameters(visible, sys::join_path(job.paths.input_config, kHyperparameters)));
  TRAINIT_TRY(check_channels(job));
  DriverFiles drivers = TRAINIT_TRY(read_driver_files(job.paths));
  const HostFacts facts{.job = job,
                        .hardware = hardware,
                        .cluster = cluster,
                        .program = program,
                        .inherited = inherited,
                        .contract = contract,
                        .hyperparameters = visible,
                        .distribution = DistributionGroups::of(job.resources, job.hyperparameters),
                        .drivers = std::move(drivers)};
  VariableWriter out(contract);
  write_directories(out, facts);
  write_hosts(out, facts);
  write_groups(out, facts);
  write_hardware(out, facts);
  write_program(out, facts);
  write_source(out, facts);
  write_hyperparameters(out, facts);
  write_channels(out, facts);
  write_platform(out, facts);
  write_additions(out, facts);
  out.both("SM_TRAINING_ENV", training_environment(facts), "all of these");
  return std::move(out).finish();
}

}  // namespace trainit::environment
