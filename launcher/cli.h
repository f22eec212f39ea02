#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "options.h"
#include "trainit/environment.h"
#include "trainit/hyperparameters.h"
#include "trainit/result.h"
#include "trainit/training_job.h"

/// The command line: what was typed, and how options are put together from their three places.
namespace trainit {

/// One option. "stop-budget" is the flag --stop-budget, the hyperparameter trainit_stop_budget and
/// the variable TRAINIT_STOP_BUDGET; the first of them that is there counts.
struct OptionRow {
  const char* name;
  const char* value;  ///< what a value looks like; empty: a switch
  const char* group;
  const char* by_default;
  const char* help;
  /// Reads the text into its field; the error says only what was expected.
  Result<void> (*set)(Options& options, std::string_view text);
  bool for_exec = false;  ///< `trainit exec` heeds it too

  std::string flag() const;
  std::string hyperparameter() const;
  std::string variable() const;
  bool takes_list() const;
  /// It needs no value: a switch, or an option whose values stand in brackets.
  bool may_stand_alone() const;
  /// What such an option is given then.
  static constexpr std::string_view kNoValue = "true";
};
std::span<const OptionRow> option_table();

/// What `trainit store` alone is told.
struct StoreWords {
  int port = 29500;                 ///< 0: a free one
  std::vector<std::string> listen;  ///< addresses; none: see store_addresses
  int world_size = 0;               ///< 0: not known
};

struct CommandLine {
  /// train, exec, env, gpus, check, store, failure, explain, help, version
  std::string command = "train";
  std::string help_topic;                    ///< for help: "" or a command
  std::map<std::string, std::string> flags;  ///< option name → its text; a switch is "true"
  std::vector<std::string> worker_command;   ///< everything after --, byte for byte
  std::string format;                        ///< env, gpus, check, failure, explain: --format
  bool explain = false, mask = false;        ///< env
  bool deep = false;                         ///< check
  StoreWords store;
  std::optional<int> rank;  ///< explain: "rank N"
  std::string place;        ///< failure, explain: DIR; empty: the default one
};

/// "did you mean --workers?" for "--wrokers"; where to look when no name is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& names);

/// What was typed wrongly: an unknown command or option, a missing value.
struct Slip {
  Error error;
  bool asks_for_job = false;  ///< the words before it ask to train, or for nothing else
};

/// Reads argv.
tl::expected<CommandLine, Slip> parse_command_line(std::span<char* const> argv);

/// Options by flag, else hyperparameter, else variable, else as in `defaults`. Errors name the
/// place, the value and what was expected; an unknown `trainit_*` hyperparameter is one too.
Result<Options> make_options(const CommandLine& line, const Hyperparameters& hyperparameters,
                             const Environment& environment, Options defaults = {});

/// A sentence for each variable that is no option's but whose name is near to one's, as
/// TRAINIT_WORKRES is: in an image nobody sees that it does nothing.
std::vector<std::string> misspelt_variables(const Environment& environment);

/// The platform appends the word "train" to an image's ENTRYPOINT, so it lands at the end of the
/// worker's command. Drops it when it is the platform's; tells whether it did.
bool drop_platform_argument(std::vector<std::string>& worker_command, const TrainingJob& job,
                            PlatformArgument choice);

/// `topic` "": one screen; "train": every option in groups, with its three names and its default;
/// "exec" and "store": those that count there; "check": its own.
std::string help_text(std::string_view topic);

}  // namespace trainit
