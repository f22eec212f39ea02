#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "trainit/result.h"

namespace trainit {

/// Environment variables by name, and where each value comes from. A plain value: reading or
/// changing it does not touch the process's own environment.
class Environment {
 public:
  struct Variable {
    std::string value;
    std::string origin;  ///< for people: "inherited", "hyperparameters.json", "trainit" …
  };

  /// This process's environment; of two equal names the first counts, as in `getenv`.
  static Environment of_process();

  /// The value, or null when the variable is not set.
  const std::string* find(std::string_view name) const;
  /// The value, or `otherwise` when the variable is not set or empty.
  std::string get_or(std::string_view name, std::string_view otherwise) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  /// Sets it, or sets it anew; `origin` says where the value comes from, for people.
  void set(std::string name, std::string value, std::string origin);
  /// Sets it unless it is there already; tells whether it did.
  bool set_default(std::string name, std::string value, std::string origin);
  /// One that is not there is no error.
  void erase(std::string_view name);
  /// Sets every variable of `other`, which wins.
  void merge(const Environment& other);

  using Map = std::map<std::string, Variable, std::less<>>;
  const Map& variables() const { return variables_; }

  /// "NAME=value" for each, in order of name, as `execve` takes them.
  std::vector<std::string> to_strings() const;

 private:
  Map variables_;
};

/// Nothing when a process can be given this variable; else one sentence: a NUL in the value, an
/// empty name, or a '=' or NUL in the name.
Result<void> check_variable(std::string_view name, std::string_view value);

}  // namespace trainit
