#pragma once

#include <string>
#include <string_view>

#include "sys/process.h"
#include "sys/signals.h"
#include "trainit/result.h"

namespace trainit::sys {

/// The user that NAME|UID[:GROUP|GID] means, by the two files alone: a static program cannot load
/// the image's NSS modules. A name goes before a number, as with chown.
///
/// As with `docker run --user`, a UID that no line has gets group 0; a group that is given is the
/// only one, and else a user has the group of its line and those that list its name. `groups`
/// begins with `gid`. Errors, each naming the file: no such user or group, an empty part, a number
/// that is no id.
Result<Credentials> find_user(std::string_view spec, const std::string& passwd = "/etc/passwd",
                              const std::string& group = "/etc/group");

/// Whether this process runs as this user and group, and could not run as another: then there is
/// nothing to become.
bool is_ourselves(const Credentials& user);

/// Whether this user can make no files in a directory, be it for want of a way there: a child of
/// ours tries that as the user. False, too, when it cannot be tried, or within a second.
bool is_out_of_reach(const std::string& directory, const Credentials& user);

/// Whether a directory, by whatever name, is one of those at the top of every system, which hold
/// more than a job's own files: the root, /etc, /home, /tmp, /usr …
bool is_top_directory(const std::string& path);

/// Gives `path` and all below it to this user and group. Links are given themselves, never what
/// they point to; `path` itself must be none, and no top directory. What has the right owner
/// already is not touched, so that a read-only file of the user is no error. Error: the first entry
/// that cannot be given, or one of `stops` that came: a tree can be larger than a stop may wait.
Result<void> give_ownership(const std::string& path, uid_t uid, gid_t gid,
                            const StopSignals& stops = usual_stop_signals());

}  // namespace trainit::sys
