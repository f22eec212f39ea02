#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "trainit/json.h"
#include "trainit/result.h"

namespace trainit {

/// The job's hyperparameters, decoded: a value that the platform sent as text is read as Python's
/// JSON (`"0.1"` → 0.1, `"\"adam\""` → adam), and stays text when it is none (`resnet`, `007`).
/// Each value is looked at by itself, because one file may hold values of both kinds.
///
/// They come in three kinds, told apart by name:
///  - the user's own, which reach the script;
///  - the platform's (`sagemaker_*`, `_tuning_objective_metric`, `default_user_module_name`);
///  - trainit's own options (`trainit_*`).
class Hyperparameters {
 public:
  /// From the object in hyperparameters.json. Error: it is no object, or one of the platform's own
  /// is of another kind: job name, region, program and submit directory are texts, also when they
  /// look like a number ("1e5"), and the log level is a number.
  static Result<Hyperparameters> from_json(const Json& file);

  /// In file order, as the next three.
  const Json::Object& user() const { return user_; }
  /// `sagemaker_*` parameters that steer frameworks; the nine that the toolkit itself consumes are
  /// not here.
  const Json::Object& framework() const { return framework_; }
  /// `trainit_*` parameters, full names.
  const Json::Object& trainit() const { return trainit_; }
  /// Everything but trainit's: the user's and the platform's among each other.
  const Json::Object& all() const { return all_; }

  /// Any of the platform's parameters, consumed or not; null when absent.
  const Json* platform(std::string_view name) const;
  /// A platform parameter as text; nothing when absent, null, a list or an object. A text that is a
  /// number or a boolean has been decoded like any other, so "123" and "true" are texts here, too.
  std::optional<std::string> platform_text(std::string_view name) const;
  /// Whether a switch among the platform's parameters is on: Python's truth of the value, but a
  /// text that says no ("False", "0", "no", "off", "None", "") is off, and so is an absent one.
  bool platform_flag(std::string_view name) const;

  /// A user's hyperparameter; null when absent.
  const Json* find(std::string_view name) const;

  /// Typed access to the user's. An absent name and a null give `otherwise`; a value of another
  /// kind is an error that names the hyperparameter, its value and what was expected. As with a
  /// script's arguments, a text that Python's `int` or `float` takes is a number ("007", "+5",
  /// "1_000", " 5 ", and for `number` "inf" and "nan"), in ASCII, and `text` gives a number or
  /// boolean as Python prints it.
  Result<std::int64_t> integer(std::string_view name, std::int64_t otherwise) const;
  Result<double> number(std::string_view name, double otherwise) const;
  /// true and false, 1 and 0, and in texts of any case yes and no, on and off.
  Result<bool> boolean(std::string_view name, bool otherwise) const;
  Result<std::string> text(std::string_view name, std::string_view otherwise) const;

 private:
  Json::Object user_, framework_, trainit_, platform_, all_;
};

}  // namespace trainit
