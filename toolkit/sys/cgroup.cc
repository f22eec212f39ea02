#include "sys/cgroup.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "sys/files.h"

namespace trainit::sys {
namespace {

constexpr std::string_view kOomKill = "oom_kill ";
constexpr std::string_view kBeforeType = " - ";  // in a line of mountinfo

/// One mounted hierarchy: which part of it (`root`) is to be seen where (`point`).
struct Mount {
  std::string root, point;
};

bool is_octal(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '7'; });
}

/// A path of mountinfo, where white space and backslashes are written in octal ("\040").
std::string unescape(std::string_view text) {
  std::string path;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text.substr(i + 1, 3))) {
      path += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                (text[i + 3] - '0'));
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

bool lists(std::string_view options, std::string_view name) {
  for (std::size_t at = options.find(name); at != std::string_view::npos;
       at = options.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    const bool begins = at == 0 || options[at - 1] == ',';
    if (begins && (end == options.size() || options[end] == ',')) return true;
  }
  return false;
}

/// Whether a line of mountinfo is a mount of a hierarchy, as the few are.
bool is_cgroup(std::string_view line) {
  const std::size_t separator = line.find(kBeforeType);
  return separator != std::string_view::npos &&
         line.substr(separator + kBeforeType.size()).starts_with("cgroup");
}

/// The mount of one such line, when it is the hierarchy of `controller` (empty: version 2).
/// "36 25 0:31 ROOT POINT OPTIONS [OPTIONAL…] - TYPE SOURCE SUPER-OPTIONS"
std::optional<Mount> read_mount(std::string_view line, std::string_view controller) {
  const std::size_t separator = line.find(kBeforeType);
  const auto kind = split(line.substr(separator + kBeforeType.size()), ' ');
  if (kind.size() < 3) return std::nullopt;
  const bool wanted =
      controller.empty() ? kind[0] == "cgroup2" : kind[0] == "cgroup" && lists(kind[2], controller);
  if (!wanted) return std::nullopt;
  const auto fields = split(line.substr(0, separator), ' ');
  if (fields.size() < 6) return std::nullopt;
  return Mount{unescape(fields[3]), unescape(fields[4])};
}

/// What /proc/self/cgroup says of this hierarchy: "4:cpu,cpuacct:/docker/1f3a", "0::/user.slice".
std::optional<std::string> own_group(std::string_view table, std::string_view controller) {
  for (const std::string_view line : split(table, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool wanted =
        controller.empty() ? line.starts_with("0::") : lists(controllers, controller);
    if (wanted) return std::string(line.substr(second + 1));
  }
  return std::nullopt;
}

/// The group's path below the mount point: "" for the mount point itself, else "/a/b". Where the
/// mount does not show the group (a group outside our namespace, a mount that the engine narrowed
/// without saying so), its topmost directory is the nearest thing that there is.
std::string below_mount(const std::string& group, const Mount& mount) {
  std::string_view rest = group;
  if (mount.root != "/") {
    if (!rest.starts_with(mount.root)) return {};
    rest.remove_prefix(mount.root.size());
    if (!rest.empty() && rest[0] != '/') return {};
  }
  if (rest == "/" || rest.starts_with("/..")) return {};
  return std::string(rest);
}

void append_with_parents(std::vector<std::string>& directories, const Mount& mount,
                         std::string below) {
  while (!below.empty()) {
    if (is_directory(mount.point + below)) directories.push_back(mount.point + below);
    below.resize(below.rfind('/'));
  }
  directories.push_back(mount.point);
}

}  // namespace

ControlGroups ControlGroups::of_process(const std::string& proc) {
  ControlGroups groups;
  const std::string mounts = read_file(proc + "/self/mountinfo").value_or("");
  for (const std::string_view line : split(mounts, '\n')) {
    if (is_cgroup(line)) groups.mounts_.emplace_back(line);
  }
  groups.groups_ = read_file(proc + "/self/cgroup").value_or("");
  return groups;
}

std::vector<std::string> ControlGroups::directories(std::string_view controller) const {
  std::vector<std::string> directories;
  for (const std::string_view hierarchy : {controller, std::string_view()}) {
    const auto group = own_group(groups_, hierarchy);
    if (!group) continue;
    for (const std::string& line : mounts_) {
      const auto mount = read_mount(line, hierarchy);
      if (!mount) continue;
      append_with_parents(directories, *mount, below_mount(*group, *mount));
      break;
    }
  }
  return directories;
}

std::optional<std::int64_t> count_oom_kills(const ControlGroups& groups) {
  for (const std::string& directory : groups.directories("memory")) {
    for (const char* file : {"/memory.events", "/memory.oom_control"}) {
      const Result<std::string> content = read_file(directory + file);
      if (!content) continue;
      for (const std::string_view line : split(*content, '\n')) {
        if (line.starts_with(kOomKill))
          return parse_number<std::int64_t>(line.substr(kOomKill.size()));
      }
    }
  }
  return std::nullopt;
}

}  // namespace trainit::sys
