// trainit explain [rank N] [DIR]: prints the whole story of a job, or of one worker of it, from the
// run record: time line, command, evidence, and the environment with the origin of each value. Exit
// 1 when there is no record, or no such rank in it.
#include <fmt/core.h>

#include "commands/commands.h"
#include "commands/print.h"
#include "record_places.h"
#include "report/explain_view.h"
#include "report/people.h"

namespace trainit::commands {
namespace {

Result<report::JobStory> read(const CommandLine& line, Logger& log) {
  report::JobStory job = TRAINIT_TRY(read_job_story(line, Environment::of_process(), log));
  if (job.hosts.empty()) return fail("there is no run record; see trainit failure", 1);
  if (line.rank && !report::knows_rank(job, *line.rank)) {
    return fail(fmt::format("the run record has no rank {}; it has {}", *line.rank,
                            report::ranks_text(job)),
                1);
  }
  return job;
}

}  // namespace

int explain(const CommandLine& line, Logger& log) {
  const Result<report::JobStory> job = read(line, log);
  if (!job) {
    log.error("{}", job.error().message);
    return job.error().exit_code;
  }
  if (line.format == "json")
    return print(dump_json(report::explain_json(*job, line.rank), JsonStyle::kPython) + "\n", log);
  return print(report::explain_view(*job, line.rank, report::unix_now()), log);
}

}  // namespace trainit::commands
