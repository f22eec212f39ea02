#include "coordination/clashes.h"

#include <fmt/core.h>

#include <map>
#include <set>
#include <utility>

#include "base/text.h"

namespace trainit::coordination {
namespace {

using HostsOfFiles = std::map<std::string, std::vector<std::string>>;

/// In local mode all hosts have one directory, and each of its files is seen by all.
HostsOfFiles hosts_of_files(const std::vector<HostPart>& parts) {
  HostsOfFiles hosts_of;
  std::set<std::pair<std::string, std::string>> seen;
  for (const auto& [host, ended] : parts) {
    for (const std::string& file : ended.model) {
      const bool is_same =
          !ended.model_place.empty() && !seen.emplace(ended.model_place, file).second;
      if (!is_same) hosts_of[file].push_back(host);
    }
  }
  return hosts_of;
}

}  // namespace

std::string clashes(const std::vector<HostPart>& parts) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> named;
  std::size_t count = 0;
  for (const auto& [file, hosts] : hosts_of_files(parts)) {
    if (hosts.size() < 2 || ++count > kMostNamed) continue;
    named.push_back(hosts.size() == 2 ? fmt::format("{} ({} and {})", file, hosts[0], hosts[1])
                                      : fmt::format("{} ({} hosts)", file, hosts.size()));
  }
  if (count == 0) return {};
  if (count > kMostNamed) named.push_back(fmt::format("and {} more", count - kMostNamed));
  return "several hosts have left a file of the same name in their model directories, and where "
         "the platform merges those one of them is kept: " +
         join(named, ", ");
}

}  // namespace trainit::coordination
