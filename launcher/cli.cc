#include "cli.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/python_text.h"
#include "base/spelling.h"
#include "base/text.h"

namespace trainit {
namespace {

Result<void> apply(const OptionRow& row, std::string_view text, const std::string& place,
                   Options& options) {
  const Result<void> set = row.set(options, text);
  if (set) return {};
  return fail(fmt::format("{} is \"{}\": {}", place, text, set.error().message));
}

Result<void> check_names(const Hyperparameters& hyperparameters) {
  std::vector<std::string> known;
  for (const OptionRow& row : option_table()) known.push_back(row.hyperparameter());
  for (const Json::Member& member : hyperparameters.trainit()) {
    if (std::find(known.begin(), known.end(), member.name) != known.end()) continue;
    return fail(fmt::format("the hyperparameter {} is none of trainit's options; {}", member.name,
                            did_you_mean(member.name, known)));
  }
  return {};
}

/// What an option's value means as text: JSON's `true` as well as "true", 20 as well as "20".
std::string option_text(const Json& value) {
  return value.boolean() != nullptr ? (*value.boolean() ? "true" : "false") : python::str(value);
}

}  // namespace

std::string did_you_mean(std::string_view name, const std::vector<std::string>& names) {
  const auto nearest = nearest_name(name, names);
  return nearest ? fmt::format("did you mean {}?", *nearest) : "see trainit train --help";
}

Result<Options> make_options(const CommandLine& line, const Hyperparameters& hyperparameters,
                             const Environment& environment, Options defaults) {
  TRAINIT_TRY(check_names(hyperparameters));
  Options options = std::move(defaults);
  for (const OptionRow& row : option_table()) {
    if (const auto flag = line.flags.find(row.name); flag != line.flags.end()) {
      TRAINIT_TRY(apply(row, flag->second, row.flag(), options));
      continue;
    }
    const auto& given = hyperparameters.trainit();
    const auto member = std::find_if(given.begin(), given.end(), [&](const Json::Member& m) {
      return m.name == row.hyperparameter();
    });
    if (member != given.end() && !member->value.is_null()) {
      const std::string text = option_text(member->value);
      if (text.find('\0') != std::string::npos)
        return fail(fmt::format("the hyperparameter {} has a NUL character", member->name));
      TRAINIT_TRY(apply(row, text, "the hyperparameter " + member->name, options));
    } else if (const std::string* value = environment.find(row.variable())) {
      TRAINIT_TRY(apply(row, *value, row.variable(), options));
    }
  }
  return options;
}

std::vector<std::string> misspelt_variables(const Environment& environment) {
  constexpr std::string_view kOurs = "TRAINIT_";
  // Without what all have in common, which would make any two of them near.
  std::vector<std::string> known = {"JOB_KEY"};
  for (const OptionRow& row : option_table()) known.push_back(row.variable().substr(kOurs.size()));
  std::vector<std::string> sentences;
  for (const auto& [name, variable] : environment.variables()) {
    if (!name.starts_with(kOurs)) continue;
    const std::string rest = name.substr(kOurs.size());
    const auto nearest = nearest_name(rest, known);
    if (!nearest || *nearest == rest) continue;
    sentences.push_back(fmt::format(
        "the variable {} is none of trainit's options; did you mean {}{}?", name, kOurs, *nearest));
  }
  return sentences;
}

bool drop_platform_argument(std::vector<std::string>& worker_command, const TrainingJob& job,
                            PlatformArgument choice) {
  constexpr std::string_view kTrain = "train";
  const std::size_t size = worker_command.size();
  if (size < 2 || worker_command.back() != kTrain || choice == PlatformArgument::kKeep)
    return false;
  const bool twice = worker_command[size - 2] == kTrain;
  // The SDK's local mode of version 3 passes no argument; it is known by an interface that exists
  // nowhere.
  const bool local_v3 = job.resources.network_interface == "ethwe" && job.arn.empty();
  const bool appended = job.on_platform && !job.container_command_given && !local_v3;
  if (choice == PlatformArgument::kAuto && !twice && !appended) return false;
  worker_command.pop_back();
  return true;
}

}  // namespace trainit
