#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace trainit {

/// The exit code of a program that could not set itself up; 126 and 127 are kept for a command that
/// cannot be run or is not there, as shells do.
inline constexpr int kSetUpFailed = 125;

/// What went wrong, as one sentence for the person who has to mend it: it names the file, the key
/// and the value, and says what would be right. Context is put in front on the way up.
struct Error {
  std::string message;
  int exit_code = kSetUpFailed;  ///< of a program that ends because of it
};

/// A value, or the reason why there is none.
template <class T>
using Result = tl::expected<T, Error>;

/// `return fail("…")` from any function that returns a Result.
inline tl::unexpected<Error> fail(std::string message, int exit_code = kSetUpFailed) {
  return tl::unexpected(Error{std::move(message), exit_code});
}

/// "CONTEXT: MESSAGE", for an error on its way up.
inline tl::unexpected<Error> fail(std::string_view context, const Error& error) {
  return fail(std::string(context) + ": " + error.message, error.exit_code);
}

namespace detail {
template <class T>
T take(Result<T>& result) {
  return std::move(*result);
}
inline void take(Result<void>&) {}
}  // namespace detail

}  // namespace trainit

/// The value of a Result; returns the error from the enclosing function when there is none. Never
/// inside a braced initialiser (`Pair{make(), TRAINIT_TRY(…)}`): the return leaks what is built so
/// far.
#define TRAINIT_TRY(expression)                                \
  __extension__({                                              \
    auto result_of_try = (expression);                         \
    if (!result_of_try) {                                      \
      return tl::unexpected(std::move(result_of_try).error()); \
    }                                                          \
    ::trainit::detail::take(result_of_try);                    \
  })
