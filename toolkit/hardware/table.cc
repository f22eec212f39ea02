#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "hardware/describe.h"

namespace trainit::hardware {
namespace {

using Row = std::array<std::string, 7>;

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

Row row_of(const Gpu& gpu) {
  return Row{
      std::to_string(gpu.index),
      or_dash(gpu.name),
      gpu.memory > 0 ? human_bytes(gpu.memory) : "-",
      gpu.compute_major > 0 ? fmt::format("{}.{}", gpu.compute_major, gpu.compute_minor) : "-",
      or_dash(gpu.pci),
      gpu.numa_node >= 0 ? std::to_string(gpu.numa_node) : "-",
      or_dash(gpu.uuid),
  };
}

/// Columns as wide as their longest text, two spaces apart. Texts are ASCII.
std::string lay_out(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths = {};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < row.size(); ++i)
      text += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    text += row.back() + '\n';
  }
  return text;
}

std::string source_line(const Gpus& gpus) {
  std::vector<std::string> parts = {"by " + gpus.source};
  if (!gpus.driver_version.empty()) parts.push_back("driver " + gpus.driver_version);
  if (!gpus.cuda_version.empty()) parts.push_back("CUDA " + gpus.cuda_version);
  return join(parts, " · ") + '\n';
}

}  // namespace

std::string to_table(const Gpus& gpus) {
  std::vector<Row> rows = {{"gpu", "name", "memory", "compute", "pci", "numa", "uuid"}};
  for (const Gpu& gpu : gpus.devices) rows.push_back(row_of(gpu));
  std::string text = gpus.devices.empty() ? "no GPU\n" : lay_out(rows);
  if (gpus.source != "none") text += source_line(gpus);
  return text;
}

}  // namespace trainit::hardware
