#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/json_members.h"
#include "check/outputs.h"
#include "check/scratch_file.h"
#include "job/directories.h"
#include "sys/capture.h"
#include "sys/files.h"

namespace trainit::check {
namespace {

constexpr int kDeadlineMilliseconds = 5000;

std::string nearest_directory(std::string path) {
  while (!sys::exists(path) && path != "/" && path != ".") path = sys::parent_directory(path);
  return path;
}

Json look_at(const std::string& path) {
  const std::string there = nearest_directory(path);
  struct statvfs system = {};
  struct stat status = {};
  const bool known = ::statvfs(there.c_str(), &system) == 0 && ::stat(there.c_str(), &status) == 0;
  const std::uint64_t unit = known ? system.f_frsize : 0;
  const auto number = [](std::uint64_t value) { return Json(std::size_t{value}); };
  return Json::Object{{"path", Json(path)},
                      {"looked_at", Json(there)},
                      {"write_error", Json(scratch_file_error(there))},
                      {"device", number(status.st_dev)},
                      {"blocks", number(system.f_blocks * unit)},
                      {"free", number(system.f_bavail * unit)},
                      {"nodes", number(system.f_files)},
                      {"free_nodes", number(system.f_favail)}};
}

std::uint64_t count_of(const Json& object, std::string_view name) {
  // More than 8 EiB is the answer of file systems that have no end.
  return static_cast<std::uint64_t>(integer_of(object, name).value_or(INT64_MAX));
}

}  // namespace

Result<std::vector<DirectoryFacts>> parse_directories(std::string_view json) {
  const Result<Json> parsed = Json::parse(json);
  if (!parsed || parsed->array() == nullptr) return fail("its answer is no JSON");
  std::vector<DirectoryFacts> directories;
  for (const Json& one : *parsed->array()) {
    directories.push_back({text_of(one, "path"), text_of(one, "looked_at"),
                           text_of(one, "write_error"), count_of(one, "device"),
                           count_of(one, "blocks"), count_of(one, "free"), count_of(one, "nodes"),
                           count_of(one, "free_nodes")});
  }
  return directories;
}

OutputFacts output_facts(const Subject& subject) {
  OutputFacts facts;
  facts.on_platform = subject.job.on_platform;
  std::vector<std::string> paths = job::writable_directories(subject.job);
  paths.push_back(subject.job.paths.output_data);
  const auto look = [&paths](sys::BorrowedFd output) {
    Json::Array all;
    for (const std::string& path : paths) all.push_back(look_at(path));
    static_cast<void>(sys::write_all(output, dump_json(Json(std::move(all)))));
  };
  const Result<std::string> answer =
      sys::run_forked("looking at directories", look, {kDeadlineMilliseconds, subject.stops});
  const auto directories =
      answer ? parse_directories(*answer)
             : Result<std::vector<DirectoryFacts>>(tl::unexpected(answer.error()));
  if (directories) facts.directories = *directories;
  if (!directories) facts.trouble = directories.error().message;
  return facts;
}

}  // namespace trainit::check
