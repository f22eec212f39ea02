#include "report/record.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <iterator>

#include "base/utf8.h"
#include "sys/files.h"
#include "sys/posix.h"
#include "sys/signals.h"

namespace trainit::report {
namespace {

double to_milliseconds(double seconds) { return std::round(seconds * 1000) / 1000; }

void make_valid(std::string& text) {
  if (utf8::ascii_prefix(text) < text.size()) text = utf8::sanitize(text);
}

/// Makes every string in `value` fit to be shown: masked, and valid UTF-8.
void make_presentable(Json& value, const RunRecord::Mask& mask) {
  if (std::string* text = value.string()) {
    if (mask) *text = mask(*text);
    make_valid(*text);
  } else if (Json::Array* items = value.array()) {
    for (Json& item : *items) make_presentable(item, mask);
  } else if (Json::Object* members = value.object()) {
    for (Json::Member& member : *members) {
      make_valid(member.name);
      make_presentable(member.value, mask);
    }
  }
}

/// The whole file, for a lock that belongs to the open file and goes when the process does, however
/// it ends. Workers have no part in it: the descriptor is closed when they are executed.
struct flock whole_file(short kind) {
  struct flock lock = {};
  lock.l_type = kind;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Writer writer_of(const std::string& path) {
  const sys::UniqueFd file(posix::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct flock lock = whole_file(F_RDLCK);
  if (!file || posix::fcntl(file.get(), F_OFD_GETLK, &lock) != 0) return Writer::kUnknown;
  return lock.l_type == F_UNLCK ? Writer::kGone : Writer::kAlive;
}

Result<RunRecord> RunRecord::open(const std::string& path, Mask mask, Complain complain,
                                  Clock clock) {
  TRAINIT_TRY(sys::make_directories(sys::parent_directory(path)));
  RunRecord record;
  // Workers of another user may have left a link or a FIFO there, and we may be root.
  auto file =
      sys::open_file(sys::BorrowedFd(AT_FDCWD), path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW);
  if (!file) return fail("opening the run record " + path, file.error());
  record.file_ = std::move(*file);
  struct flock lock = whole_file(F_WRLCK);
  record.locked_ = posix::fcntl(record.file_.get(), F_OFD_SETLK, &lock) == 0;
  record.path_ = path;
  record.mask_ = std::move(mask);
  record.complain_ = std::move(complain);
  record.clock_ = std::move(clock);
  return record;
}

void RunRecord::write(std::string_view event, Json::Object fields) {
  if (!file_) return;
  Json told(std::move(fields));
  make_presentable(told, mask_);
  Json::Object line{{"time", Json(to_milliseconds(clock_()))}, {"event", Json(event)}};
  std::move(told.object()->begin(), told.object()->end(), std::back_inserter(line));
  append(dump_json(Json(std::move(line)), JsonStyle::kPython) + "\n");
}

void RunRecord::append(const std::string& line) {
  const std::string text = broken_line_ ? "\n" + line : line;
  const ssize_t written = sys::write_some(file_.borrow(), text);
  if (written == static_cast<ssize_t>(text.size())) {
    broken_line_ = false;
    return;
  }
  const int reason =
      written < 0 ? errno : ENOSPC;  // a file takes less than all only when it is full
  if (written > 0) broken_line_ = true;
  if (complained_ || !complain_) return;
  complained_ = true;
  complain_(fmt::format("writing the run record {}: {}; the job goes on without it", path_,
                        sys::errno_text(reason)));
}

void add_status(const sys::ExitStatus& status, Json::Object& fields) {
  if (status.signal != 0) {
    fields.push_back({"signal", Json(sys::signal_name(status.signal))});
  } else {
    fields.push_back({"code", Json(status.code)});
  }
}

}  // namespace trainit::report
