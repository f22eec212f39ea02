#pragma once

#include <string>
#include <string_view>
#include <vector>

/// How the views of the run record write things for people.
namespace trainit::report {

/// `text` as a terminal can show it (see escape_controls), with its line feeds when `lines` is
/// true.
std::string visible(std::string_view text, bool lines = false);

/// A command that a person could type again: words with anything unusual in them stand in single
/// quotes.
std::string command_text(const std::vector<std::string>& argv);

/// The last `most` lines, each after `indent`, with a line "…" in front when there were more. 0:
/// all lines.
std::vector<std::string> block_of(std::string_view text, std::string_view indent,
                                  std::size_t most = 0);

/// "2.371 s", "6:12.371", "2:05:00.000": a moment of a time line, seconds from its zero.
std::string moment_text(double seconds);

/// The time now.
double unix_now();

/// "2026-11-25 21:46:03 UTC"
std::string date_text(double unix_seconds);

}  // namespace trainit::report
