#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "diagnose/evidence.h"

namespace trainit::diagnose {

/// "algo-2 rank 5: ValueError: learning rate must be positive (train.py:42, exit code 1 after 48
/// s)": the first line of the failure file and of the log's "first cause". At most 200 bytes of
/// UTF-8 on one line; a longer message is cut. Without a host it begins with the rank.
std::string summarize(const Evidence& evidence);

/// `rank 0 had "RuntimeError: Connection closed by peer" 0.2 s later: a consequence`, or `rank 0
/// had the same error 0.2 s later`, for the log; a worker on another host than the cause is named
/// with its host.
std::string describe_consequence(const Evidence& cause, const Evidence& consequence);

/// The failure file: at most 1,024 bytes of UTF-8 with the summary in the first 200, then what the
/// worker itself printed, its end rather than its beginning when it is too long.
std::string failure_text(const FirstCause& cause);

/// The failure file of a job that was told to stop, `after` its start, and whose workers did not
/// all end with 0: "algo-1: stopped by the platform with SIGTERM after 6 min 12 s", then who failed
/// at it, and how the others ended. At most 1,024 bytes of UTF-8.
std::string stop_text(std::string_view host, int signal, sys::Duration after,
                      std::span<const Evidence* const> gathered);

/// The same for a job whose rendezvous store ended while workers still needed it: "algo-1: the
/// rendezvous store was killed by SIGSEGV after 3 s: …".
/// `oom_kills` as for attribute_oom_kills.
std::string store_text(std::string_view host, const sys::ExitStatus& status,
                       std::optional<std::int64_t> oom_kills, sys::Duration after,
                       std::span<const Evidence* const> gathered);

/// The same for a job of which a host was lost: "algo-3: lost: was not heard from for 9 s (after 6
/// min 12 s)".
std::string lost_text(std::string_view host, std::string_view how, sys::Duration after,
                      std::span<const Evidence* const> gathered);

/// The same for a job of whose failure no more is known than what its host told the others:
/// "algo-3: rank 5 (pid 32) ended with code 1 after 48 s".
std::string told_text(std::string_view host, std::string_view what,
                      std::span<const Evidence* const> gathered);

}  // namespace trainit::diagnose
