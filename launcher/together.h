#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/log.h"
#include "coordination/peers.h"
#include "preparation.h"
#include "sys/event_loop.h"

/// What this job brings to the meeting of its hosts, and takes from it.
namespace trainit {

/// What has to be the same on all hosts, and how many workers this one has. No secret is in it:
/// such values are compared by what the job's key makes of them.
coordination::message::Report host_report(const JobContext& context, const Preparation& preparation,
                                          const coordination::JobKey& key);

/// Begins to look for the other hosts of this job. Without `takes_part` this one only withdraws,
/// and all that counts of the preparation is what `prepare_to_meet` makes. Error: the key cannot be
/// read, or the kernel refuses what is needed.
Result<std::unique_ptr<coordination::Peers>> open_peers(sys::EventLoop& loop,
                                                        const JobContext& context,
                                                        const Preparation& preparation,
                                                        bool takes_part, const Logger& log);

/// By the options: when workers that failed are started once more.
diagnose::RestartLimits restart_limits(const Options& options);

/// This host cannot go on, and the others are not to wait for it. Returns when they know, or when a
/// stop signal leaves no more time for that. Before all have met it waits so long for those that
/// are not there.
void withdraw(coordination::Peers& peers, const Error& why, const Options& options,
              const Logger& log, sys::Duration patience = {});

/// What is reported of the job here: the verdict of all hosts, with the first cause where it lies
/// on this one.
diagnose::Judgement judgement_of(const diagnose::Verdict& verdict, const diagnose::HostEnd& own);

/// What is in the model directory and below.
struct ModelFiles {
  std::vector<std::string> names;  ///< files, relative to it; of very many the first
  std::size_t count = 0;           ///< of all names that were looked at
  bool all = true;                 ///< false: there may be more
};
/// Runs the loop meanwhile, for at most 2 s and what one look at a file takes, and not when
/// `given_up` says that there is no time for it.
ModelFiles model_files(sys::EventLoop& loop, const Paths& paths,
                       const std::function<bool()>& given_up);
/// What to say when not all of them are compared with those of the other hosts; empty: all are.
std::string uncompared_text(const ModelFiles& files);

/// Which directory that is: alike on hosts that are containers of one machine and share it. Empty:
/// not known.
std::string model_place(const Paths& paths);

}  // namespace trainit
