#include "trainit/hyperparameters.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/python_text.h"
#include "base/text.h"
#include "job/json_fields.h"

namespace trainit {
namespace {

constexpr std::array<std::string_view, 9> kConsumed = {
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_enable_cloudwatch_metrics",
    "sagemaker_region",
    "sagemaker_container_log_level",
    "sagemaker_job_name",
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
};

/// Those of them that are names or places.
constexpr std::array<std::string_view, 4> kTexts = {
    "sagemaker_program",
    "sagemaker_submit_directory",
    "sagemaker_region",
    "sagemaker_job_name",
};

template <std::size_t size>
bool is_one_of(const std::array<std::string_view, size>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Python's `json.loads` of a text that begins with a byte order mark fails, so such a text is
/// none.
Json decode(const Json& value) {
  if (value.string() == nullptr || value.string()->starts_with("\xEF\xBB\xBF")) return value;
  return Json::parse(*value.string()).value_or(value);
}

const Json* find_in(const Json::Object& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Json::Member& member) { return member.name == name; });
  return found == members.end() ? nullptr : &found->value;
}

tl::unexpected<Error> not_a(std::string_view expected, std::string_view name, const Json& found) {
  return job::wrong_kind(fmt::format("hyperparameter \"{}\"", name), found, expected);
}

bool is_number(const Json& value) {
  return value.integer() != nullptr || value.number() != nullptr;
}

/// What the platform means by a parameter that the toolkit consumes. A name is a name, also when
/// it looks like a number or a boolean: "1e5" stays what `given`, the value in the file, says.
Result<Json> consumed_value(const Json::Member& decoded, const Json& given) {
  const auto& [name, value] = decoded;
  if (is_one_of(kTexts, name)) {
    if (value.array() != nullptr || value.object() != nullptr) return not_a("text", name, value);
    return is_number(value) || value.boolean() != nullptr ? given : value;
  }
  if (name == "sagemaker_container_log_level" && !is_number(value) && !value.is_null())
    return not_a("a number of Python's logging, such as 20", name, value);
  return value;
}

std::optional<std::int64_t> as_integer(const Json& value) {
  if (const std::string* text = value.string()) return python::to_int(*text);
  return value.to_int64();
}

std::optional<double> as_number(const Json& value) {
  if (const std::string* text = value.string()) return python::to_float(*text);
  return value.to_double();
}

std::optional<bool> as_boolean(const Json& value) {
  if (const bool* truth = value.boolean()) return *truth;
  if (value.integer() != nullptr && value.integer()->digits.size() > 1) return std::nullopt;
  const std::string word = value.integer() != nullptr  ? value.integer()->digits
                           : value.string() != nullptr ? to_lower_ascii(trim(*value.string()))
                                                       : std::string();
  for (const std::string_view yes : {"true", "1", "yes", "on"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "no", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

std::optional<std::string> as_text(const Json& value) {
  if (value.array() != nullptr || value.object() != nullptr) return std::nullopt;
  return python::str(value);
}

template <class Value, class Convert>
Result<Value> typed(const Hyperparameters& all, std::string_view name, Value otherwise,
                    Convert convert, std::string_view expected) {
  const Json* found = all.find(name);
  if (found == nullptr || found->is_null()) return otherwise;
  std::optional<Value> value = convert(*found);
  if (!value) return not_a(expected, name, *found);
  return *std::move(value);
}

}  // namespace

Result<Hyperparameters> Hyperparameters::from_json(const Json& file) {
  const Json::Object* members = TRAINIT_TRY(job::members_of("the file's value", file));
  Hyperparameters result;
  for (const auto& [name, value] : *members) {
    const Json::Member member{name, decode(value)};
    if (name.starts_with("trainit_")) {
      result.trainit_.push_back(member);
      continue;
    }
    result.all_.push_back(member);
    if (is_one_of(kConsumed, name)) {
      Json consumed = TRAINIT_TRY(consumed_value(member, value));
      result.platform_.push_back({name, std::move(consumed)});
    } else if (name.starts_with("sagemaker_")) {
      result.platform_.push_back(member);
      result.framework_.push_back(member);
    } else {
      result.user_.push_back(member);
    }
  }
  return result;
}

const Json* Hyperparameters::platform(std::string_view name) const {
  return find_in(platform_, name);
}

std::optional<std::string> Hyperparameters::platform_text(std::string_view name) const {
  const Json* value = platform(name);
  if (value == nullptr || value->is_null() || value->array() != nullptr ||
      value->object() != nullptr)
    return std::nullopt;
  return value->string() != nullptr ? *value->string() : dump_json(*value);
}

bool Hyperparameters::platform_flag(std::string_view name) const {
  const Json* value = platform(name);
  return value != nullptr && job::is_on(*value);
}

const Json* Hyperparameters::find(std::string_view name) const { return find_in(user_, name); }

Result<std::int64_t> Hyperparameters::integer(std::string_view name, std::int64_t otherwise) const {
  return typed(*this, name, otherwise, as_integer, "an integer of at most 64 bits");
}

Result<double> Hyperparameters::number(std::string_view name, double otherwise) const {
  return typed(*this, name, otherwise, as_number, "a number");
}

Result<bool> Hyperparameters::boolean(std::string_view name, bool otherwise) const {
  return typed(*this, name, otherwise, as_boolean, "true or false");
}

Result<std::string> Hyperparameters::text(std::string_view name, std::string_view otherwise) const {
  return typed(*this, name, std::string(otherwise), as_text, "a text, number or boolean");
}

}  // namespace trainit
