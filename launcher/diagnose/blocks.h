#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "diagnose/lines.h"
#include "diagnose/recognise.h"

/// The lines of one program's message, also where a launcher has put something in front of each and
/// other programs' lines stand between them.
namespace trainit::diagnose {

/// What launchers put before a program's own text: "[1,3]<stderr>:" and "[algo-1:42] " of Open MPI,
/// "[3] " of MPICH, "[rank3]: ", "3: " of srun; two of them too. Empty when nothing looks like it.
std::string_view launcher_prefix(std::string_view line);

/// Walks down the lines that begin with the same prefix as the first one. With a prefix, up to 16
/// lines of others may stand between two of them; without one every line belongs. The lines must
/// outlive it.
class Block {
 public:
  Block(const Lines& lines, std::size_t first);

  std::size_t first() const { return first_; }
  std::size_t line() const { return line_; }
  std::string_view prefix() const { return prefix_; }
  /// The present line without the prefix.
  std::string_view text() const { return text_; }
  /// The next line without the prefix; nothing at the end.
  const std::optional<std::string_view>& ahead() const { return ahead_; }
  /// True when there is a next line and it begins with `start`.
  bool ahead_starts_with(std::string_view start) const;
  /// Goes to the next line, which there must be.
  void advance();

  /// This block up to the present line, with the summary that was made of it.
  Candidate candidate(std::string summary) const;

 private:
  void look_ahead();

  const Lines* lines_;
  std::size_t first_, line_, next_ = 0;
  std::string_view prefix_, text_;
  std::optional<std::string_view> ahead_;
};

/// An error in the lines `first` to `last`, none of which has a prefix, with the summary that was
/// made of it.
Candidate candidate_in(std::size_t first, std::size_t last, std::string summary);

/// True for the lines of '-' or '=' around what MPI's launchers print.
bool is_mpi_rule(std::string_view line);

/// `text` without blanks around it and no longer than a summary may be.
std::string one_line(std::string_view text);

/// The present line, and the next where this one ends in a colon and so only announces it.
std::string announced(const Block& block, std::string_view text);

/// "checkpoint is incomplete, caused by KeyError: 'weights'". The cause alone where the error is a
/// type that says nothing else, and the error alone where its message holds the cause's.
std::string with_cause(std::string_view error, std::string_view cause);

}  // namespace trainit::diagnose
