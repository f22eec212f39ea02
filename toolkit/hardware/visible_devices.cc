#include "hardware/visible_devices.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace trainit::hardware {
namespace {

/// The number that an entry begins with ("1gpu" is 1 for CUDA); nothing when there is none.
std::optional<std::size_t> leading_number(std::string_view entry) {
  if (entry.starts_with('+')) entry.remove_prefix(1);
  return parse_number<std::size_t>(entry.substr(0, entry.find_first_not_of("0123456789")));
}

/// The one device whose UUID begins so.
const Gpu* by_uuid(const std::vector<Gpu>& devices, std::string_view beginning) {
  const Gpu* found = nullptr;
  for (const Gpu& gpu : devices) {
    if (!gpu.uuid.starts_with(beginning)) continue;
    if (found != nullptr) return nullptr;
    found = &gpu;
  }
  return found;
}

class Selection {
 public:
  explicit Selection(const std::vector<Gpu>& devices) : devices_(devices) {}

  /// Takes what `entry` names; false at the end of the list.
  bool take(std::string_view entry) {
    const bool mig = entry.starts_with("MIG-");
    const bool unknown_uuid = entry.starts_with("GPU-") && !any_uuid();
    if (mig || unknown_uuid) return take_on_trust(entry, mig);
    const Gpu* gpu = entry.starts_with("GPU-") ? by_uuid(devices_, entry) : by_number(entry);
    if (gpu == nullptr) return false;
    return add(*gpu);
  }

  std::vector<Gpu> devices() && { return std::move(chosen_); }
  bool trusted() const { return trusted_; }

 private:
  bool any_uuid() const {
    return std::any_of(devices_.begin(), devices_.end(),
                       [](const Gpu& gpu) { return !gpu.uuid.empty(); });
  }

  const Gpu* by_number(std::string_view entry) const {
    const auto number = leading_number(entry);
    return number && *number < devices_.size() ? &devices_[*number] : nullptr;
  }

  bool take_on_trust(std::string_view entry, bool mig) {
    // A CUDA program sees one MIG instance at a time.
    if (devices_.empty() || (mig && !chosen_.empty())) return false;
    Gpu gpu;
    gpu.index = -1;
    gpu.uuid = entry;
    gpu.mig = mig;
    trusted_ = true;
    return add(gpu);
  }

  bool add(const Gpu& gpu) {
    const bool twice = std::any_of(chosen_.begin(), chosen_.end(), [&](const Gpu& other) {
      return other.index == gpu.index && other.uuid == gpu.uuid;
    });
    if (twice) {
      chosen_.clear();
      return false;
    }
    chosen_.push_back(gpu);
    return true;
  }

  const std::vector<Gpu>& devices_;
  std::vector<Gpu> chosen_;
  bool trusted_ = false;
};

}  // namespace

std::vector<Gpu> visible_devices(const std::vector<Gpu>& devices, std::string_view value,
                                 std::vector<std::string>& warnings) {
  Selection selection(devices);
  for (const std::string_view entry : split(value, ',')) {
    if (!selection.take(trim(entry))) break;
  }
  if (selection.trusted()) {
    warnings.push_back("CUDA_VISIBLE_DEVICES=" + std::string(value) +
                       " was believed: without the driver nobody knows what it names");
  }
  std::vector<Gpu> chosen = std::move(selection).devices();
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i].index = static_cast<int>(i);
  return chosen;
}

int devices_named(std::string_view value) {
  int named = 0;
  for (const std::string_view entry : split(value, ',')) {
    const std::string_view name = trim(entry);
    if (!name.starts_with("GPU-") && !name.starts_with("MIG-") && !leading_number(name)) break;
    ++named;
  }
  return named;
}

}  // namespace trainit::hardware
