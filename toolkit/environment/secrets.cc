#include "environment/secrets.h"

#include <algorithm>
#include <optional>

#include "base/python_text.h"
#include "environment/named_values.h"
#include "environment/secret_collector.h"
#include "environment/secret_place.h"

namespace trainit::environment {
namespace {

constexpr std::string_view kMask = "***";

/// Masks what stands under a name that tells a secret, however short it is. What holds no secret is
/// nothing, and is not copied: that is nearly everything.
class Masker {
 public:
  explicit Masker(const Secrets& secrets) : secrets_(secrets) {}

  std::optional<std::string> text(const Place& place, std::string_view text) const;
  std::optional<Json> json(const Place& place, const Json& value) const;

 private:
  std::optional<std::string> by_name(const Place& place, std::string_view text) const;
  std::string assignments(int depth, std::string_view text) const;
  std::optional<Json> members(const Place& place, const Json::Object& members) const;
  std::optional<Json> items(const Place& place, const Json::Array& items) const;
  std::optional<Json> leaf(const Place& place, std::string_view text) const;

  const Secrets& secrets_;
};

/// Nothing when neither its name nor one inside tells anything.
std::optional<std::string> Masker::by_name(const Place& place, std::string_view text) const {
  if (place.is_secret(text)) return std::string(kMask);
  const auto structure = place.structure(text);
  if (!structure) return std::nullopt;
  const auto shown = json(place.content(), structure->value);
  if (!shown) return std::nullopt;
  return secrets_.mask(structure->write(*shown));
}

std::optional<std::string> Masker::text(const Place& place, std::string_view text) const {
  if (auto shown = by_name(place, text)) return shown;
  if (secrets_.empty() && text.find('=') == std::string_view::npos) return std::nullopt;
  const Option option = option_of(text);
  if (option.value_at > 0) {
    const Place own{.name = option.name, .depth = place.depth};
    if (const auto shown = by_name(own, option.value))
      return secrets_.mask(text.substr(0, option.value_at)) + *shown;
  }
  std::string shown = assignments(place.depth, secrets_.mask(text));
  if (shown == text) return std::nullopt;
  return shown;
}

std::optional<Json> Masker::json(const Place& place, const Json& value) const {
  if (const auto* inner = value.object()) return members(place, *inner);
  if (const auto* inner = value.array()) return items(place, *inner);
  if (const auto* text = value.string()) return leaf(place, *text);
  return leaf(place, python::str(value));
}

std::optional<Json> Masker::leaf(const Place& place, std::string_view text) const {
  auto shown = this->text(place, text);
  if (!shown || *shown == text) return std::nullopt;
  return Json(std::move(*shown));
}

std::optional<Json> Masker::members(const Place& place, const Json::Object& members) const {
  const Place below = place.below();
  std::optional<Json::Object> shown;
  for (std::size_t at = 0; at < members.size(); ++at) {
    auto inner = json(below.named(members[at].name), members[at].value);
    if (!inner) continue;
    if (!shown) shown = members;
    (*shown)[at].value = std::move(*inner);
  }
  return shown;
}

std::optional<Json> Masker::items(const Place& place, const Json::Array& items) const {
  const Place below = place.below();
  std::optional<Json::Array> shown;
  std::string_view before;
  for (std::size_t at = 0; at < items.size(); ++at) {
    auto inner = json(below.behind(before), items[at]);
    before = text_of(items[at]);
    if (!inner) continue;
    if (!shown) shown = items;
    (*shown)[at] = std::move(*inner);
  }
  return shown;
}

std::string Masker::assignments(int depth, std::string_view text) const {
  std::string result;
  std::size_t copied = 0;
  for (const Assignment& next : assignments_in(text)) {
    const auto shown = by_name({.name = next.name, .depth = depth}, next.value);
    if (!shown) continue;
    const auto at = static_cast<std::size_t>(next.value.data() - text.data());
    result += text.substr(copied, at - copied);
    result += *shown;
    copied = at + next.value.size();
  }
  return result += text.substr(copied);
}

}  // namespace

Secrets Secrets::collect(const Environment& environment, const Hyperparameters& hyperparameters,
                         const std::vector<std::string>& arguments) {
  SecretCollector collector;
  for (const auto& [name, variable] : environment.variables()) {
    collector.add_variable(name, variable.value);
  }
  collector.add_members(hyperparameters.all());
  collector.add_members(hyperparameters.trainit());
  collector.add_arguments(arguments);
  Secrets secrets;
  secrets.values_ = PrefixSet(collector.forms());
  return secrets;
}

/// The end of the secrets that overlap the one that ends at `end` of `text`, and of itself.
std::size_t Secrets::end_of_run(std::string_view text, std::size_t end) const {
  for (std::size_t at = 0; at < end; ++at)
    end = std::max(end, at + values_.longest_at(text.substr(at)));
  return end;
}

MaskedText Secrets::apply(std::string_view text) const {
  MaskedText masked;
  std::size_t copied = 0;
  for (std::size_t at = values_.empty() ? text.size() : 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const std::size_t length =
        values_.begins_any(rest[0]) ? end_of_run(rest, values_.longest_at(rest)) : 0;
    if (length > 0) {
      masked.text += text.substr(copied, at - copied);
      masked.cuts.push_back({at, length, masked.text.size()});
      masked.text += kMask;
      copied = at + length;
    }
    at += std::max<std::size_t>(length, 1);
  }
  masked.text += text.substr(copied);
  return masked;
}

MaskedText Secrets::apply_behind_cut(std::string_view text) const {
  const std::size_t dropped = end_of_run(text, values_.longest_end_at(text));
  MaskedText masked = apply(text.substr(dropped));
  masked.dropped = dropped;
  return masked;
}

std::string Secrets::mask_cut_off(std::string_view text) const {
  MaskedText masked = apply(text);
  std::size_t at = masked.cuts.empty() ? 0 : masked.cuts.back().masked_at + kMask.size();
  while (at < masked.text.size() &&
         !values_.has_beginning(std::string_view(masked.text).substr(at)))
    ++at;
  masked.text.resize(at);
  return std::move(masked.text);
}

std::size_t MaskedText::original_offset(std::size_t offset) const {
  std::size_t original = offset;
  for (const Cut& cut : cuts) {
    if (offset < cut.masked_at) break;
    const std::size_t mask_end = cut.masked_at + kMask.size();
    original = offset < mask_end ? cut.original_at
                                 : offset - mask_end + cut.original_at + cut.original_length;
  }
  return dropped + original;
}

std::string Secrets::mask_variable(std::string_view name, std::string_view value) const {
  return Masker(*this).text({name}, value).value_or(std::string(value));
}

std::vector<std::string> Secrets::mask_arguments(const std::vector<std::string>& arguments) const {
  const Masker masker(*this);
  std::vector<std::string> shown;
  std::string_view before;
  for (const std::string& argument : arguments) {
    shown.push_back(masker.text(Place().behind(before), argument).value_or(argument));
    before = argument;
  }
  return shown;
}

Json Secrets::mask_json(std::string_view name, const Json& value) const {
  return Masker(*this).json({name}, value).value_or(value);
}

Environment mask_environment(Environment environment, const Secrets& secrets) {
  const Masker masker(secrets);
  for (const auto& [name, variable] : environment.variables()) {
    if (auto shown = masker.text({name}, variable.value))
      environment.set(name, std::move(*shown), variable.origin);
  }
  return environment;
}

}  // namespace trainit::environment
