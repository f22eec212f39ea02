#include "environment/host_facts.h"
#include "sys/process.h"

namespace trainit::environment {
namespace {

/// Whether the program is on the PATH that the job inherited.
bool is_installed(const HostFacts& facts, const std::string& program) {
  return sys::find_executable(program, facts.inherited.get_or("PATH", ""), "").has_value();
}

Json text_or_null(const std::string* text) { return text != nullptr ? Json(*text) : Json(); }
Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

/// The toolkit looks at what it inherited, not at the hyperparameter of this name: nothing, "", or
/// whether it is more than an empty object.
Json model_parallel(const Environment& inherited) {
  const std::string* parameters = inherited.find("SM_HP_MP_PARAMETERS");
  if (parameters == nullptr || parameters->empty()) return text_or_null(parameters);
  return *parameters != "{}";
}

void append_cluster(Json::Object& result, const HostFacts& facts) {
  const Resources& resources = facts.job.resources;
  result.insert(result.end(),
                {{"current_host", resources.current_host},
                 {"current_instance_group", resources.group_name},
                 {"current_instance_group_hosts", json_list(facts.group_hosts())},
                 {"current_instance_type", resources.instance_type},
                 {"distribution_hosts", json_list(facts.distribution.hosts)},
                 {"distribution_instance_groups", json_list(facts.distribution.groups)},
                 {"hosts", json_list(facts.hosts())},
                 {"instance_groups", json_list(facts.group_names())},
                 {"instance_groups_dict", facts.groups_by_name()},
                 {"is_hetero", resources.groups.size() > 1},
                 {"is_master", facts.distribution.master == resources.current_host},
                 {"master_hostname", facts.distribution.master},
                 {"network_interface_name", resources.network_interface},
                 {"resource_config", resources.file},
                 {"topology", resources.topology}});
}

void append_machine(Json::Object& result, const HostFacts& facts) {
  result.insert(result.end(), {{"is_modelparallel_enabled", model_parallel(facts.inherited)},
                               {"is_smddpmprun_installed", is_installed(facts, "smddpmprun")},
                               {"is_smddprun_installed", is_installed(facts, "smddprun")},
                               {"num_cpus", facts.hardware.cpus.usable()},
                               {"num_gpus", facts.hardware.gpus.count()},
                               {"num_neurons", facts.neuron_cores()}});
}

void append_job(Json::Object& result, const HostFacts& facts) {
  const TrainingJob& job = facts.job;
  result.insert(
      result.end(),
      {{"additional_framework_parameters", job.hyperparameters.framework()},
       {"channel_input_dirs", facts.channel_directories()},
       {"framework_module", text_or_null(facts.inherited.find("SAGEMAKER_TRAINING_MODULE"))},
       {"hyperparameters", facts.hyperparameters},
       {"input_config_dir", job.paths.input_config},
       {"input_data_config", job.input_data_config},
       {"input_dir", job.paths.input},
       {"job_name", text_or_null(facts.inherited.find("TRAINING_JOB_NAME"))},
       {"log_level", facts.log_level()},
       {"model_dir", job.paths.model},
       {"module_dir", facts.module_directory()},
       {"module_name", facts.module_name()},
       {"output_data_dir", job.paths.output_data},
       {"output_dir", job.paths.output},
       {"output_intermediate_dir", job.paths.output_intermediate},
       {"user_entry_point", text_or_null(facts.program.name)}});
}

Json of_toolkit(const HostFacts& facts) {
  Json::Object result;
  append_cluster(result, facts);
  append_machine(result, facts);
  append_job(result, facts);
  return result;
}

Json of_v3(const HostFacts& facts) {
  const TrainingJob& job = facts.job;
  return Json::Object{{"channel_input_dirs", facts.channel_directories()},
                      {"current_host", job.resources.current_host},
                      {"current_instance_type", job.resources.instance_type},
                      {"hosts", json_list(facts.hosts())},
                      {"master_addr", facts.cluster.leader},
                      {"master_port", kMasterPort},
                      {"hyperparameters", facts.hyperparameters},
                      {"input_data_config", job.input_data_config},
                      {"input_config_dir", job.paths.input_config},
                      {"input_data_dir", job.paths.input_data},
                      {"input_dir", job.paths.input},
                      {"job_name", text_or_null(facts.inherited.find("TRAINING_JOB_NAME"))},
                      {"log_level", facts.log_level()},
                      {"model_dir", job.paths.model},
                      {"network_interface_name", job.resources.network_interface},
                      {"num_cpus", facts.hardware.cpus.usable()},
                      {"num_gpus", facts.hardware.gpus.count()},
                      {"num_neurons", facts.neuron_cores()},
                      {"output_data_dir", job.paths.output_data},
                      {"resource_config", job.resources.file}};
}

}  // namespace

Json training_environment(const HostFacts& facts) {
  return facts.contract == Contract::kV3 ? of_v3(facts) : of_toolkit(facts);
}

}  // namespace trainit::environment
