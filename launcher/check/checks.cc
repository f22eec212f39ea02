#include "check/checks.h"

#include "check/deep.h"
#include "check/gpu.h"
#include "check/hosts.h"
#include "check/limits.h"
#include "check/network.h"
#include "check/outputs.h"
#include "check/program.h"
#include "check/python.h"
#include "check/rendezvous.h"
#include "check/shared_memory.h"
#include "check/visibility.h"

namespace trainit::check {
namespace {

void add_machine(const Subject& subject, const PythonFacts& python, bool quick, Report& report) {
  report.areas.push_back(judge_gpu(gpu_facts(subject, python)));
  report.areas.push_back(judge_visibility(visibility_facts(subject, !quick)));
  report.areas.push_back(judge_shared_memory(shared_memory_facts(subject, python)));
  report.areas.push_back(judge_limits(limit_facts(subject)));
  report.areas.push_back(judge_network(network_facts(subject)));
}

Report check_before_job(const Subject& subject, const PythonFacts& python) {
  Report report;
  report.areas.push_back(judge_program(program_facts(subject)));
  add_machine(subject, python, true, report);
  report.areas.push_back(judge_outputs(output_facts(subject)));
  return report;
}

}  // namespace

Report check_all(const Subject& subject, bool deep) {
  Report report;
  report.areas.push_back(judge_program(program_facts(subject)));
  const PythonFacts python = python_facts(subject, true);
  report.areas.push_back(judge_python(python));
  add_machine(subject, python, false, report);
  report.areas.push_back(judge_hosts(hosts_facts(subject)));
  report.areas.push_back(judge_rendezvous(rendezvous_facts(subject)));
  report.areas.push_back(judge_outputs(output_facts(subject)));
  if (deep) report.areas.push_back(judge_deep(deep_facts(subject, python)));
  return report;
}

Report check_quickly(const Subject& subject) {
  return check_before_job(subject, python_facts(subject, false));
}

Report check_deeply(const Subject& subject) {
  const PythonFacts python = python_facts(subject, true);
  Report report = check_before_job(subject, python);
  const bool fails = report.count(Severity::kError) > 0;
  report.areas.push_back(fails ? AreaReport::skip("deep", "other errors end the job already")
                               : judge_deep(deep_facts(subject, python)));
  return report;
}

}  // namespace trainit::check
