// Our own words on the command line: everything before `--`.
#include <fmt/core.h>

#include <algorithm>

#include "base/spelling.h"
#include "base/text.h"
#include "cli.h"

namespace trainit {
namespace {

constexpr std::string_view kTrain = "train";
constexpr std::string_view kCommands[] = {"train", "exec",  "env",     "gpus",
                                          "check", "store", "failure", "explain"};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

Result<void> set_format(CommandLine& line, std::string_view text,
                        std::initializer_list<std::string_view> formats) {
  if (std::find(formats.begin(), formats.end(), text) == formats.end()) {
    return fail("expected one of " +
                join(std::vector<std::string>(formats.begin(), formats.end()), ", "));
  }
  line.format = text;
  return {};
}

Result<void> set_whole_number(int& field, std::string_view text, int most) {
  const auto number = parse_number<int>(text);
  if (!number || *number < 0 || *number > most)
    return fail(fmt::format("expected a number from 0 to {}", most));
  field = *number;
  return {};
}

Result<void> add_items(std::vector<std::string>& field, std::string_view text) {
  for (const std::string_view item : split(text, ',')) field.emplace_back(item);
  return {};
}

/// An option that only one command has.
struct CommandOption {
  std::string_view command, flag;
  bool takes_value;
  /// Reads the value, or "true", into its field; the error says only what was expected.
  Result<void> (*set)(CommandLine& line, std::string_view text);
};
constexpr int kMostWorldSize = 1'000'000;
constexpr CommandOption kCommandOptions[] = {
    {"env", "--format", true,
     [](CommandLine& l, std::string_view t) {
       return set_format(l, t, {"json", "shell", "dotenv"});
     }},
    {"env", "--explain", false,
     [](CommandLine& l, std::string_view) { return l.explain = true, Result<void>(); }},
    {"env", "--mask", false,
     [](CommandLine& l, std::string_view) { return l.mask = true, Result<void>(); }},
    {"gpus", "--format", true,
     [](CommandLine& l, std::string_view t) {
       return set_format(l, t, {"json", "table"});
     }},
    {"check", "--format", true,
     [](CommandLine& l, std::string_view t) {
       return set_format(l, t, {"text", "json"});
     }},
    {"check", "--deep", false,
     [](CommandLine& l, std::string_view) { return l.deep = true, Result<void>(); }},
    {"store", "--port", true,
     [](CommandLine& l, std::string_view t) { return set_whole_number(l.store.port, t, 65535); }},
    {"store", "--listen", true,
     [](CommandLine& l, std::string_view t) { return add_items(l.store.listen, t); }},
    {"store", "--world-size", true,
     [](CommandLine& l, std::string_view t) {
       return set_whole_number(l.store.world_size, t, kMostWorldSize);
     }},
    {"failure", "--format", true,
     [](CommandLine& l, std::string_view t) {
       return set_format(l, t, {"text", "json"});
     }},
    {"explain", "--format", true,
     [](CommandLine& l, std::string_view t) {
       return set_format(l, t, {"text", "json"});
     }},
};

/// Reads word after word. What is not understood ends it: the words behind may be somebody else's,
/// and hold what nobody should see.
class WordReader {
 public:
  /// `command` is the one that needs no word, because the binary is called so; or empty.
  WordReader(std::string_view command, std::span<const std::string> words, CommandLine& line)
      : words_(words), line_(line), command_(command) {}

  Result<void> read() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      if (word.starts_with('-')) {
        TRAINIT_TRY(read_option(word));
      } else if (command_.empty() && is_command(word)) {
        command_ = word;
      } else if (command_.empty() && (word == "help" || word == "version")) {
        TRAINIT_TRY(read_option("--" + word));
      } else if (command_ == "failure" || command_ == "explain") {
        subject_.push_back(word);
      } else if (word == kTrain && next_ == words_.size()) {
        break;  // the platform's own word, behind a command of ours
      } else {
        return tl::unexpected(unknown_command(word));
      }
    }
    return finish();
  }

  /// By the words that were read, and where an option ended that, by those behind it: one of them
  /// may still be the command.
  bool asks_for_job() const {
    if (help_ || version_) return false;
    if (!command_.empty()) return command_ == kTrain;
    const bool at_option = next_ > 0 && words_[next_ - 1].starts_with('-');
    const auto behind = words_.subspan(next_);
    return !at_option || std::none_of(behind.begin(), behind.end(), [](const auto& word) {
      return is_command(word) && word != kTrain;
    });
  }

 private:
  static bool is_command(std::string_view word) {
    return std::find(std::begin(kCommands), std::end(kCommands), word) != std::end(kCommands);
  }

  Result<void> read_option(std::string_view word) {
    const std::string_view flag = word.substr(0, word.find('='));
    std::optional<std::string_view> value;
    if (flag.size() < word.size()) value = word.substr(flag.size() + 1);
    if (flag == "-h" || flag == "--help") return help_ = true, Result<void>();
    if (flag == "--version") return version_ = true, Result<void>();
    for (const OptionRow& row : option_table()) {
      if (row.flag() == flag) return set_option(row, value);
    }
    for (const CommandOption& option : kCommandOptions) {
      if (option.command == command_ && option.flag == flag)
        return set_command_option(option, value);
    }
    return tl::unexpected(unknown_option(flag));
  }

  Result<void> set_option(const OptionRow& row, std::optional<std::string_view> value) {
    if (!value && row.may_stand_alone() && !takes_next_word(row)) value = OptionRow::kNoValue;
    if (!value) value = TRAINIT_TRY(next_value(row.flag(), row.value));
    if (!row.for_exec && useless_.empty()) useless_ = row.flag();
    std::string& text = line_.flags[row.name];
    // An option that takes a list may be given once for each item; of another the last counts.
    text = row.takes_list() && !text.empty() ? fmt::format("{},{}", text, *value)
                                             : std::string(*value);
    return {};
  }

  /// "--preflight quick", where "--preflight" alone means something too.
  bool takes_next_word(const OptionRow& row) const {
    std::string_view values = row.value;
    if (values.empty() || next_ == words_.size()) return false;
    values.remove_prefix(1);
    values.remove_suffix(1);
    const auto words = split(values, '|');
    return std::find(words.begin(), words.end(), words_[next_]) != words.end();
  }

  Result<void> set_command_option(const CommandOption& option,
                                  std::optional<std::string_view> value) {
    if (!value && !option.takes_value) value = "true";
    if (!value) value = TRAINIT_TRY(next_value(option.flag, ""));
    const Result<void> set = option.set(line_, *value);
    if (set) return {};
    return fail(fmt::format("{} is \"{}\": {}", option.flag, *value, set.error().message));
  }

  Result<std::string_view> next_value(std::string_view flag, std::string_view looks_like) {
    if (next_ < words_.size() && !words_[next_].starts_with("--")) return words_[next_++];
    return fail(
        fmt::format("{} needs a value{}{}", flag, looks_like.empty() ? "" : ": ", looks_like));
  }

  Error unknown_option(std::string_view flag) const {
    std::vector<std::string> flags = {"--help", "--version"};
    for (const OptionRow& row : option_table()) flags.push_back(row.flag());
    for (const CommandOption& option : kCommandOptions) {
      if (option.command == command_) flags.emplace_back(option.flag);
    }
    return {fmt::format("there is no option {}; {}", flag, did_you_mean(flag, flags))};
  }

  Error unknown_command(std::string_view word) const {
    if (word == "serve") {
      return {
          "trainit runs training jobs; \"serve\" asks for an inference endpoint, which needs "
          "another image"};
    }
    const std::vector<std::string> commands(std::begin(kCommands), std::end(kCommands));
    const auto meant = command_.empty() ? nearest_name(word, commands) : std::nullopt;
    const std::string advice =
        meant ? fmt::format("did you mean {}?", *meant)
              : fmt::format("write -- before the command that the workers run: trainit{}{} -- {} …",
                            command_.empty() ? "" : " ", command_, word);
    return {fmt::format("\"{}\" is none of trainit's commands; {}", word, advice)};
  }

  Result<void> finish() {
    if (!command_.empty()) line_.command = command_;
    TRAINIT_TRY(set_subject(subject_));
    if (line_.command == "exec" && !useless_.empty() && !help_) {
      return fail(
          fmt::format("{} means nothing to trainit exec, which starts one command and no job; see "
                      "trainit exec --help",
                      useless_));
    }
    if (help_) {
      line_.help_topic = command_;
      line_.command = "help";
    }
    if (version_) line_.command = "version";
    return {};
  }

  /// "rank N" and DIR, each of which may be left out.
  Result<void> set_subject(std::span<const std::string> words) {
    if (line_.command == "explain" && !words.empty() && words[0] == "rank") {
      line_.rank = words.size() > 1 ? parse_number<int>(words[1]) : std::nullopt;
      if (!line_.rank || *line_.rank < 0) {
        return fail(fmt::format("explain rank: expected a number such as 0, found {}",
                                words.size() > 1 ? "\"" + words[1] + "\"" : "nothing"));
      }
      words = words.subspan(2);
    }
    if (words.size() > 1)
      return fail(fmt::format("{}: expected one directory or record, found \"{}\" too",
                              line_.command, words[1]));
    if (!words.empty()) line_.place = words[0];
    return {};
  }

  std::span<const std::string> words_;
  CommandLine& line_;
  std::size_t next_ = 0;
  std::string command_;
  std::vector<std::string> subject_;  ///< of failure and explain
  std::string useless_;               ///< the first option that exec would not heed
  bool help_ = false, version_ = false;
};

}  // namespace

tl::expected<CommandLine, Slip> parse_command_line(std::span<char* const> argv) {
  CommandLine line;
  std::vector<std::string> ours;
  std::size_t index = 1;
  for (; index < argv.size() && std::string_view(argv[index]) != "--"; ++index)
    ours.emplace_back(argv[index]);
  for (++index; index < argv.size(); ++index) line.worker_command.emplace_back(argv[index]);
  const bool called_train = !argv.empty() && base_name(argv[0]) == kTrain;
  WordReader reader(called_train ? kTrain : "", ours, line);
  if (const Result<void> read = reader.read(); !read)
    return tl::unexpected(Slip{read.error(), reader.asks_for_job()});
  return line;
}

}  // namespace trainit
