#include "saved_state.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

bool write(std::FILE* file, const SavedState& state) {
  bool good = std::fprintf(file, "epochs %d\n", state.epochs) > 0;
  for (const float value : state.values) {
    good = good && std::fprintf(file, "%a\n", static_cast<double>(value)) > 0;
  }
  return good;
}

}  // namespace

trainit::Result<void> save(const std::string& directory, const std::string& name,
                           const SavedState& state) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const std::string path = directory + "/" + name, partial = path + ".partial";
  std::FILE* file = std::fopen(partial.c_str(), "w");
  if (file == nullptr) return trainit::fail(partial + " cannot be written");
  const bool written = write(file, state);
  // A full disk may show only when the last bytes leave.
  if (std::fclose(file) != 0 || !written) {
    std::remove(partial.c_str());
    return trainit::fail(partial + " cannot be written: is the disk full?");
  }
  if (std::rename(partial.c_str(), path.c_str()) != 0) {
    return trainit::fail(partial + " cannot be renamed to " + path);
  }
  return {};
}

trainit::Result<std::optional<SavedState>> load(const std::string& path) {
  const File file(std::fopen(path.c_str(), "r"), std::fclose);
  if (!file) return std::optional<SavedState>();
  SavedState state;
  if (std::fscanf(file.get(), "epochs %d", &state.epochs) != 1) {
    return trainit::fail(path + ": expected \"epochs N\" in the first line");
  }
  float value = 0;
  while (std::fscanf(file.get(), "%a", &value) == 1) state.values.push_back(value);
  return std::optional<SavedState>(std::move(state));
}
