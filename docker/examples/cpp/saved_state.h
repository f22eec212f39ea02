#pragma once

#include <trainit/result.h>

#include <optional>
#include <string>
#include <vector>

/// Numbers on disk: a line "epochs N", then one number a line in C's exact hexadecimal form.
struct SavedState {
  int epochs = 0;  // that were done
  std::vector<float> values;
};

/// The directory is made. A reader, or a copy to storage that runs beside us, never finds half a
/// file.
trainit::Result<void> save(const std::string& directory, const std::string& name,
                           const SavedState& state);

/// Nothing when there is no such file.
trainit::Result<std::optional<SavedState>> load(const std::string& path);
