#include "cli.h"

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "base/python_text.h"
#include "base/spelling.h"
#include "base/text.h"

namespace trainit {
namespace {

constexpr char kTrain[] = "train";

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

/// The words before `--`, and whether there was one.
std::vector<std::string> split_off_command(std::span<char* const> argv, CommandLine& line) {
  std::vector<std::string> ours;
  std::size_t index = 1;
  for (; index < argv.size() && std::string_view(argv[index]) != "--"; ++index)
    ours.emplace_back(argv[index]);
  for (++index; index < argv.size(); ++index) line.worker_command.emplace_back(argv[index]);
  return ours;
}

/// The grammar of our own words, bound to the fields of a command line.
struct Grammar {
  explicit Grammar(CommandLine& line) {
    app.set_help_flag();
    app.require_subcommand(0, 1);
    // What is not understood ends the parsing and stays in order, for a sentence of our own.
    app.prefix_command();
    app.add_flag("-h,--help", help);
    app.add_flag("--version", version);
    for (const OptionRow& row : option_table()) {
      std::string& text = texts[row.name];
      options[row.name] =
          *row.value == '\0' ? app.add_flag(row.flag(), text) : app.add_option(row.flag(), text);
      // An option that takes a list may be given once for each item.
      if (row.takes_list()) options[row.name]->join(',');
    }
    add_command(kTrain);
    add_command("exec");
    CLI::App* env = add_command("env");
    env->add_option("--format", line.format)->check(CLI::IsMember({"json", "shell", "dotenv"}));
    env->add_flag("--explain", line.explain);
    env->add_flag("--mask", line.mask);
    add_command("gpus")
        ->add_option("--format", line.format)
        ->check(CLI::IsMember({"json", "table"}));
    CLI::App* store = add_command("store");
    store->add_option("--port", line.store.port)->check(CLI::Range(0, 65535));
    store->add_option("--bind", line.store.bind)->delimiter(',');
    store->add_option("--world-size", line.store.world_size)->check(CLI::NonNegativeNumber);
    for (const char* name : {"failure", "explain"}) {
      CLI::App* command = add_command(name);
      command->add_option("words", this->words);
      command->add_option("--format", line.format)->check(CLI::IsMember({"text", "json"}));
    }
  }

  CLI::App* add_command(const char* name) {
    CLI::App* command = app.add_subcommand(name)->fallthrough();
    command->set_help_flag();
    return command;
  }

  CLI::App app;
  bool help = false, version = false;
  std::vector<std::string> words;  ///< of failure and explain
  std::map<std::string, std::string> texts;
  std::map<std::string, CLI::Option*> options;
};

/// ", did you mean --workers?" for "--wrokers"; empty when nothing is near.
std::string suggestion(std::string_view name, const std::vector<std::string>& names) {
  const auto nearest = nearest_name(name, names);
  return nearest ? fmt::format("; did you mean {}?", *nearest) : "";
}

Error unknown_option(std::string_view word, const Grammar& grammar) {
  const std::string name(word.substr(0, word.find('=')));
  std::vector<std::string> flags = {"--help", "--version"};
  for (const OptionRow& row : option_table()) flags.push_back(row.flag());
  for (const CLI::App* command : grammar.app.get_subcommands()) {
    for (const CLI::Option* option : command->get_options()) flags.push_back(option->get_name());
  }
  return {fmt::format("there is no option {}{}; see trainit train --help", name,
                      suggestion(name, flags))};
}

Error unknown_command(const std::string& word, const Grammar& grammar) {
  if (word == "serve") {
    return {
        "trainit runs training jobs; \"serve\" asks for an inference endpoint, which needs another "
        "image"};
  }
  std::vector<std::string> commands;
  for (const CLI::App* command : grammar.app.get_subcommands({})) {
    commands.push_back(command->get_name());
  }
  std::string call = "trainit";
  for (const CLI::App* command : grammar.app.get_subcommands()) call += " " + command->get_name();
  return {
      fmt::format("\"{}\" is none of trainit's commands{}; write -- before the command that the "
                  "workers run: {} -- {} …",
                  word, suggestion(word, commands), call, word)};
}

/// The sentence about the first word that is not understood. Those behind it are not told: they
/// were meant for somebody else, and may hold what nobody should see.
Result<void> check_rest(const Grammar& grammar) {
  const std::vector<std::string> rest = grammar.app.remaining(true);
  // Behind a command of ours it is the platform's own word.
  if (rest.empty() || rest == std::vector<std::string>{kTrain}) return {};
  return tl::unexpected(rest[0].starts_with('-') ? unknown_option(rest[0], grammar)
                                                 : unknown_command(rest[0], grammar));
}

/// "rank N" and DIR, each of which may be left out.
Result<void> set_subject(std::span<const std::string> words, CommandLine& line) {
  if (line.command == "explain" && !words.empty() && words[0] == "rank") {
    line.rank = words.size() > 1 ? parse_number<int>(words[1]) : std::nullopt;
    if (!line.rank || *line.rank < 0) {
      return fail(fmt::format("explain rank: expected a number such as 0, found {}",
                              words.size() > 1 ? "\"" + words[1] + "\"" : "nothing"));
    }
    words = words.subspan(2);
  }
  if (words.size() > 1)
    return fail(fmt::format("{}: expected one directory or record, found \"{}\" too", line.command,
                            words[1]));
  if (!words.empty()) line.place = words[0];
  return {};
}

Result<void> parse_words(const std::vector<std::string>& words, CommandLine& line) {
  Grammar grammar(line);
  try {
    grammar.app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::Error& error) {
    return fail(fmt::format("{}; see trainit --help", error.what()));
  }
  TRAINIT_TRY(check_rest(grammar));
  for (const auto& [name, option] : grammar.options) {
    if (option->count() > 0) line.flags[name] = grammar.texts[name];
  }
  for (const CLI::App* command : grammar.app.get_subcommands()) line.command = command->get_name();
  TRAINIT_TRY(set_subject(grammar.words, line));
  if (grammar.help) {
    line.help_topic = grammar.app.get_subcommands().empty() ? "" : line.command;
    line.command = "help";
  }
  if (grammar.version) line.command = "version";
  return {};
}

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
    return fail(fmt::format(
        "the hyperparameter {} is none of trainit's options{}; see trainit train --help",
        member.name, suggestion(member.name, known)));
  }
  return {};
}

/// What an option's value means as text: JSON's `true` as well as "true", 20 as well as "20".
std::string option_text(const Json& value) {
  return value.boolean() != nullptr ? (*value.boolean() ? "true" : "false") : python::str(value);
}

}  // namespace

bool looks_back(std::span<char* const> argv) {
  constexpr std::string_view kCommands[] = {"failure", "explain"};
  return argv.size() > 1 &&
         std::find(std::begin(kCommands), std::end(kCommands), argv[1]) != std::end(kCommands);
}

Result<CommandLine> parse_command_line(std::span<char* const> argv) {
  CommandLine line;
  const std::vector<std::string> words = split_off_command(argv, line);
  TRAINIT_TRY(parse_words(words, line));
  if (!argv.empty() && base_name(argv[0]) == kTrain && line.command != "help")
    line.command = kTrain;
  return line;
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
    if (member != given.end()) {
      TRAINIT_TRY(
          apply(row, option_text(member->value), "the hyperparameter " + member->name, options));
    } else if (const std::string* value = environment.find(row.variable())) {
      TRAINIT_TRY(apply(row, *value, row.variable(), options));
    }
  }
  return options;
}

bool drop_platform_argument(std::vector<std::string>& worker_command, const TrainingJob& job,
                            PlatformArgument choice) {
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
