#include "code/code_directory.h"

#include <fmt/core.h>

#include <string_view>

#include "sys/files.h"

namespace trainit::code {
namespace {

/// A path as it is, and that of a "file://" address, which may name this host.
std::string local_path(std::string_view address) {
  constexpr std::string_view kFile = "file://";
  constexpr std::string_view kHost = "localhost/";
  if (!address.starts_with(kFile)) return std::string(address);
  address.remove_prefix(kFile.size());
  if (address.starts_with(kHost)) address.remove_prefix(kHost.size() - 1);
  return std::string(address);
}

}  // namespace

std::string_view missing_step(std::string_view address) {
  if (address.starts_with("s3://")) return "fetch";
  const bool archive = address.ends_with(".tar.gz") || address.ends_with(".tgz");
  return archive && sys::is_regular_file(local_path(address)) ? "unpack" : "";
}

Result<std::string> code_directory(const TrainingJob& job) {
  const std::string submitted =
      job.hyperparameters.platform_text("sagemaker_submit_directory").value_or("");
  if (const std::string_view step = missing_step(submitted); !step.empty()) {
    // The platform's own toolkit puts nothing into a directory that has something in it either.
    if (sys::any_name_in(job.paths.code, [](std::string_view) { return true; }))
      return sys::absolute_path(job.paths.code);
    return fail(fmt::format(
        "sagemaker_submit_directory is {}, and this trainit does not {}: put the code into the "
        "image at {}, or pass it{} as an input channel and name its directory",
        submitted, step == "fetch" ? "fetch code from S3" : "unpack archives", job.paths.code,
        step == "fetch" ? "" : ", unpacked,"));
  }
  const std::string directory = submitted.empty() ? job.paths.code : local_path(submitted);
  if (directory.find("://") != std::string::npos) {
    return fail(fmt::format(
        "sagemaker_submit_directory is {}: expected a local directory or a file:// address",
        submitted));
  }
  const std::string origin = submitted.empty() ? "" : " (sagemaker_submit_directory)";
  if (const auto absence = sys::absence_of(directory))
    return fail(fmt::format("the code directory {}{} {}", directory, origin, absence->text));
  if (!sys::is_directory(directory)) {
    return fail(fmt::format(
        "the code directory {}{} is a file: expected a directory; unpack an archive when the image "
        "is built",
        directory, origin));
  }
  return sys::absolute_path(directory);
}

}  // namespace trainit::code
