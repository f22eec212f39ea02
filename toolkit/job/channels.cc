#include "trainit/channels.h"

#include <fmt/core.h>

#include <optional>

#include "base/text.h"
#include "job/json_fields.h"
#include "sys/files.h"

namespace trainit {
namespace {

/// A channel is a directory, or a FIFO, below the input data.
Result<void> check_name(const std::string& name) {
  if (name.empty())
    return fail("a channel has an empty name; its name has to be one of a directory");
  if (name.find('/') != std::string::npos || name == "." || name == "..") {
    return fail(
        fmt::format("\"{}\" cannot be the name of a channel: it is not the name of one "
                    "directory below the input data",
                    name));
  }
  if (const std::size_t nul = name.find('\0'); nul != std::string::npos) {
    return fail(fmt::format("\"{}\" and what follows cannot be the name of a channel: it has a NUL",
                            name.substr(0, nul)));
  }
  return {};
}

/// The service writes "FastFile" here, and "FASTFILE" in its own files beside this one.
std::optional<InputMode> parse_mode(std::string_view text) {
  if (equals_ignoring_case(text, "File")) return InputMode::kFile;
  if (equals_ignoring_case(text, "FastFile")) return InputMode::kFastFile;
  if (equals_ignoring_case(text, "Pipe")) return InputMode::kPipe;
  return std::nullopt;
}

Result<Channel> read_channel(const std::string& name, const Json& settings,
                             std::vector<std::string>* warnings) {
  TRAINIT_TRY(job::members_of("its description", settings));
  Channel channel;
  const std::string mode = TRAINIT_TRY(job::text_member(settings, "TrainingInputMode", "File"));
  if (const std::optional<InputMode> known = parse_mode(mode)) {
    channel.mode = *known;
  } else if (warnings != nullptr) {
    warnings->push_back(
        fmt::format("channel \"{}\" has the unknown TrainingInputMode \"{}\" and is taken for File",
                    name, mode));
  }
  const std::string spread =
      TRAINIT_TRY(job::text_member(settings, "S3DistributionType", "FullyReplicated"));
  channel.sharded = equals_ignoring_case(spread, "ShardedByS3Key");
  const std::string wrapper = TRAINIT_TRY(job::text_member(settings, "RecordWrapperType", "None"));
  channel.record_io = equals_ignoring_case(wrapper, "RecordIO");
  channel.content_type = TRAINIT_TRY(job::text_member(settings, "ContentType", ""));
  return channel;
}

}  // namespace

Result<std::vector<Channel>> channels_from_json(const Json& file, const std::string& input_data,
                                                std::vector<std::string>* warnings) {
  const Json::Object* members = TRAINIT_TRY(job::members_of("the file's value", file));
  std::vector<Channel> channels;
  for (const auto& [name, settings] : *members) {
    TRAINIT_TRY(check_name(name));
    const Json described = settings.is_null() ? Json(Json::Object{}) : settings;
    Result<Channel> channel = read_channel(name, described, warnings);
    if (!channel) return fail(fmt::format("channel \"{}\"", name), channel.error());
    channel->name = name;
    channel->path = sys::join_path(input_data, name);
    channels.push_back(*std::move(channel));
  }
  return channels;
}

}  // namespace trainit
