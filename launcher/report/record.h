#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sys/unique_fd.h"
#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit::report {

/// The run record: what happened to the job, as JSON lines. The summary, `status` and `explain` are
/// views of it. Each line is an object that begins with "time" (unix seconds, to the millisecond)
/// and "event"; a reader skips lines that it cannot parse and members that it does not know,
/// because a full disk may cut a line and later versions add members.
///
/// Events and their members:
///   start     version, host, job
///   plan      directory, workers: [{rank, argv}]
///   spawned   rank, pid
///   signal    signal, sender: it came; or signal, to: it was passed on to the workers
///   stop      signal, to: workers, groups or tree; processes: how many the tree had
///   ended     rank, status, max_memory_kib
///   checkpoint  seconds, of: what the workers took of their time after a stop signal
///   outcome   success, exit_code, failure
class RunRecord {
 public:
  /// Gives a text with every secret in it masked.
  using Mask = std::function<std::string(std::string_view text)>;
  /// Takes one sentence for the log.
  using Complain = std::function<void(std::string_view message)>;
  /// Unix time in seconds.
  using Clock = std::function<double()>;

  /// A record that keeps nothing.
  RunRecord() = default;

  /// Adds to the file at `path`, which is made, with its directories, when it is not there. Error:
  /// it cannot be opened. `complain` is told once when a line cannot be written.
  static Result<RunRecord> open(const std::string& path, Mask mask, Complain complain);

  /// For tests.
  void set_clock(Clock clock) { clock_ = std::move(clock); }

  /// Adds one line, in a single write. Every string value in `fields` is masked, and bytes that are
  /// no UTF-8 are replaced. It never fails: a record that cannot be written is no reason to end a
  /// job.
  void write(std::string_view event, Json::Object fields);

 private:
  void append(const std::string& line);

  sys::UniqueFd file_;
  std::string path_;
  Mask mask_;
  Complain complain_;
  Clock clock_;
  bool broken_line_ = false;  ///< the last line is there in part only
  bool complained_ = false;
};

}  // namespace trainit::report
