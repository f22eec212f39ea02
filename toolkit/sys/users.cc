#include "sys/users.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/text.h"
#include "sys/capture.h"
#include "sys/files.h"
#include "sys/posix.h"
#include "sys/signals.h"

namespace trainit::sys {
namespace {

/// A line of /etc/passwd (name, password, uid, gid …) or /etc/group (name, password, gid, members).
struct Entry {
  std::string_view name;
  std::uint32_t id;
  std::string_view rest;  ///< the field after the id: the gid, or the members
};

/// The highest number means "leave as it is" to chown and setuid.
std::optional<std::uint32_t> parse_id(std::string_view text) {
  const std::optional<std::uint32_t> id = parse_number<std::uint32_t>(text);
  return id && *id != UINT32_MAX ? id : std::nullopt;
}

std::vector<Entry> parse_entries(std::string_view content) {
  std::vector<Entry> entries;
  for (const std::string_view line : split(content, '\n')) {
    const std::vector<std::string_view> fields = split(trim(line), ':');
    const std::optional<std::uint32_t> id = fields.size() > 2 ? parse_id(fields[2]) : std::nullopt;
    if (!id || fields[0].empty()) continue;
    entries.push_back({fields[0], *id, fields.size() > 3 ? fields[3] : std::string_view()});
  }
  return entries;
}

/// The line of this name, else of this number.
const Entry* find_entry(const std::vector<Entry>& entries, std::string_view name_or_id) {
  const auto find = [&](auto matches) {
    const auto found = std::find_if(entries.begin(), entries.end(), matches);
    return found == entries.end() ? nullptr : &*found;
  };
  const Entry* named = find([&](const Entry& entry) { return entry.name == name_or_id; });
  const std::optional<std::uint32_t> id = parse_id(name_or_id);
  return named != nullptr || !id ? named
                                 : find([&](const Entry& entry) { return entry.id == *id; });
}

tl::unexpected<Error> unknown(std::string_view kind, std::string_view name_or_id,
                              std::string_view spec, const std::string& file, bool readable) {
  return fail(
      fmt::format("no {} is called \"{}\" in {} (--user {}){}; name one that is "
                  "there, or a number",
                  kind, name_or_id, file, spec, readable ? "" : ", which cannot be read"));
}

/// An id file, parsed; empty when the image has none. Its entries point into `content`.
struct IdFile {
  explicit IdFile(const std::string& file_path) : path(file_path) {
    Result<std::string> read = read_file(path);
    readable = read.has_value();
    content = std::move(read).value_or("");
    entries = parse_entries(content);
  }
  IdFile(const IdFile&) = delete;

  const std::string path;
  std::string content;
  bool readable;
  std::vector<Entry> entries;
};

std::vector<gid_t> groups_of(std::string_view user, gid_t gid, const IdFile& groups) {
  std::vector<gid_t> result = {gid};
  for (const Entry& entry : groups.entries) {
    const std::vector<std::string_view> members = split(entry.rest, ',');
    const bool listed = std::find(members.begin(), members.end(), user) != members.end();
    if (listed && std::find(result.begin(), result.end(), entry.id) == result.end()) {
      result.push_back(entry.id);
    }
  }
  return result;
}

Result<gid_t> find_group(std::string_view name_or_id, std::string_view spec, const IdFile& groups) {
  if (const Entry* entry = find_entry(groups.entries, name_or_id)) return entry->id;
  if (const std::optional<gid_t> id = parse_id(name_or_id)) return *id;
  return unknown("group", name_or_id, spec, groups.path, groups.readable);
}

struct Owner {
  uid_t uid;
  gid_t gid;
  const StopSignals& stops;
};

Result<void> give_below(UniqueFd directory, const std::string& path, const Owner& owner);

/// The entry `name` of a directory, and all below it. `path` is for messages.
Result<void> give_entry(BorrowedFd directory, const char* name, const std::string& path,
                        const Owner& owner) {
  if (const auto signal = pending_signal(owner.stops)) {
    return fail(fmt::format("giving {} to uid {}: {} came", path, owner.uid, signal_name(*signal)));
  }
  const auto failed = [&] {
    const bool powerless = errno == EPERM && ::geteuid() != 0;
    return fail(fmt::format("giving {} to uid {}: {}{}", path, owner.uid, errno_text(errno),
                            powerless ? "; only root can, so trainit has to start as root" : ""));
  };
  struct stat status = {};
  if (::fstatat(directory.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0) return failed();
  const bool given = status.st_uid == owner.uid && status.st_gid == owner.gid;
  if (!given && ::fchownat(directory.get(), name, owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return failed();
  }
  if (!S_ISDIR(status.st_mode)) return {};
  UniqueFd inside(::openat(directory.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!inside) return failed();
  return give_below(std::move(inside), path, owner);
}

Result<void> give_below(UniqueFd directory, const std::string& path, const Owner& owner) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(directory.get()), ::closedir);
  if (!stream) return fail(fmt::format("listing {}: {}", path, errno_text(errno)));
  const BorrowedFd open_directory(directory.release());  // the stream closes it
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    TRAINIT_TRY(give_entry(open_directory, entry->d_name, join_path(path, name), owner));
    errno = 0;
  }
  if (errno != 0) return fail(fmt::format("listing {}: {}", path, errno_text(errno)));
  return {};
}

}  // namespace

bool is_ourselves(const Credentials& user) {
  return user.uid != 0 && ::getuid() == user.uid && ::geteuid() == user.uid &&
         ::getgid() == user.gid && ::getegid() == user.gid;
}

Result<Credentials> find_user(std::string_view spec, const std::string& passwd,
                              const std::string& group) {
  const std::size_t colon = spec.find(':');
  const std::string_view user = spec.substr(0, colon);
  const bool has_group = colon != std::string_view::npos;
  const std::string_view wanted_group = has_group ? spec.substr(colon + 1) : std::string_view();
  if (user.empty() || (has_group && wanted_group.empty())) {
    return fail(fmt::format("--user {} names no user; it has to be NAME|UID[:GROUP|GID]", spec));
  }
  const IdFile users(passwd), groups(group);
  const Entry* entry = find_entry(users.entries, user);
  const std::optional<uid_t> uid = entry != nullptr ? entry->id : parse_id(user);
  if (!uid) return unknown("user", user, spec, users.path, users.readable);
  if (has_group) {
    const gid_t gid = TRAINIT_TRY(find_group(wanted_group, spec, groups));
    return Credentials{*uid, gid, {gid}};
  }
  if (entry == nullptr) return Credentials{*uid, 0, {0}};
  const std::optional<gid_t> gid = parse_id(entry->rest);
  if (!gid) return fail(fmt::format("{}: the line of \"{}\" has no group id", passwd, entry->name));
  return Credentials{*uid, *gid, groups_of(entry->name, *gid, groups)};
}

bool is_out_of_reach(const std::string& directory, const Credentials& user) {
  constexpr int kDeadlineMilliseconds = 1000;
  const auto look = [&](BorrowedFd output) {
    const bool refused =
        become(user) && posix::access(directory.c_str(), W_OK | X_OK) != 0 && errno == EACCES;
    if (refused) static_cast<void>(write_all(output, "refused"));
  };
  const auto answer = run_forked("looking at " + directory, look, kDeadlineMilliseconds);
  return answer && !answer->empty();
}

bool is_top_directory(const std::string& path) {
  constexpr std::string_view kTop[] = {"/",     "/bin",   "/boot", "/dev",  "/etc",  "/home",
                                       "/lib",  "/lib64", "/opt",  "/proc", "/root", "/run",
                                       "/sbin", "/sys",   "/tmp",  "/usr",  "/var"};
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real) == nullptr) return false;
  return std::find(std::begin(kTop), std::end(kTop), std::string_view(real)) != std::end(kTop);
}

Result<void> give_ownership(const std::string& given_path, uid_t uid, gid_t gid,
                            const StopSignals& stops) {
  std::string path = given_path;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();  // "link/" would be followed
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
    return fail(
        fmt::format("giving {} to uid {}: it is a symbolic link, and what it points to is "
                    "not given away; put a directory or a mount there",
                    path, uid));
  }
  if (is_top_directory(path)) {
    return fail(
        fmt::format("giving {} to uid {}: all that the image has there would change hands, and not "
                    "the job's files alone; name a directory below it",
                    path, uid));
  }
  return give_entry(BorrowedFd(AT_FDCWD), path.c_str(), path, {uid, gid, stops});
}

}  // namespace trainit::sys
