#include "timeline.h"

#include <fmt/core.h>

namespace trainit::simulation {

void Timeline::note(const std::string& who, const std::string& what) {
  if (keep_trace_)
    trace_ += fmt::format("{:>12.6f} {}: {}\n", static_cast<double>(now_) / 1e6, who, what);
}

}  // namespace trainit::simulation
