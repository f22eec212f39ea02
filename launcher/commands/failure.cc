// trainit failure [DIR]: prints what failed first and why, from the run record of a job and its
// failure file. Exit 0 also for a job that succeeded or still runs, with a sentence that says so; 1
// when there is nothing to read.
#include "commands/commands.h"
#include "commands/print.h"
#include "record_places.h"
#include "report/failure_view.h"
#include "report/people.h"

namespace trainit::commands {
int failure(const CommandLine& line, Logger& log) {
  const Result<report::JobStory> job = read_job_story(line, Environment::of_process(), log);
  if (!job) {
    log.error("{}", job.error().message);
    return job.error().exit_code;
  }
  if (line.format == "json")
    return print(dump_json(report::failure_json(*job), JsonStyle::kPython) + "\n", log);
  return print(report::failure_view(*job, report::unix_now()), log);
}

}  // namespace trainit::commands
