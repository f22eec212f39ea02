#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "report/people.h"
#include "sys/exit_status.h"
#include "sys/unique_fd.h"
#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit::report {

/// Whether somebody still writes to a record.
enum class Writer { kAlive, kGone, kUnknown };

/// By the lock that a RunRecord holds on its file. `kUnknown`: the file cannot be opened, or its
/// file system knows no locks. A copy of a record, or a record that another machine writes to,
/// looks as if its writer were gone.
Writer writer_of(const std::string& path);

/// The run record: what happened to the job, as JSON lines. The summary, `failure` and `explain`
/// are views of it. Each line is an object that begins with "time" (unix seconds, to the
/// millisecond) and "event"; docs/run-record.md has every event and its members.
class RunRecord {
 public:
  /// Gives a text with every secret in it masked; empty: there are none.
  using Mask = std::function<std::string(std::string_view text)>;
  /// Takes one sentence for the log.
  using Complain = std::function<void(std::string_view message)>;
  /// Unix time in seconds.
  using Clock = std::function<double()>;

  /// A record that keeps nothing.
  RunRecord() = default;

  /// Adds to the file at `path`, which is made, with its directories, when it is not there, and
  /// locks it for as long as the record lives. Error: it cannot be opened. `complain` is told once
  /// when a line cannot be written.
  static Result<RunRecord> open(const std::string& path, Mask mask, Complain complain,
                                Clock clock = unix_now);

  bool kept() const { return static_cast<bool>(file_); }
  /// Its lock tells readers that the writer is alive. Not every file system has locks.
  bool locked() const { return locked_; }

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
  bool locked_ = false;
};

/// Adds "code", or "signal" with its name: how a process ended.
void add_status(const sys::ExitStatus& status, Json::Object& fields);

}  // namespace trainit::report
