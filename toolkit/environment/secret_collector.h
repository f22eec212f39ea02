#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "environment/secret_place.h"
#include "trainit/json.h"

namespace trainit::environment {

/// Gathers the values of secrets, in each form in which they may stand in a text.
class SecretCollector {
 public:
  void add_variable(std::string_view name, std::string_view value) { add_text({name}, value); }
  void add_members(const Json::Object& members) { add_members({}, members); }
  void add_arguments(const std::vector<std::string>& arguments);

  const std::set<std::string>& forms() const { return forms_; }

 private:
  void add_text(const Place& place, std::string_view text);
  void add_value(const Place& place, std::string_view value);
  void add_json(const Place& place, const Json& value);
  void add_items(const Place& below, const Json::Array& items);
  void add_members(const Place& place, const Json::Object& members);
  void add(std::string_view value);
  void add_part(std::string_view text, std::size_t shortest);

  std::set<std::string> parts_;  ///< each secret as it is, trimmed, and line by line
  std::set<std::string> forms_;
};

}  // namespace trainit::environment
