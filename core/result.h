// Result<T>: a value, or an error that can become an errno for an application and a line for a person.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace forebay {

// What failed in operation. `code` is the errno the application gets; `context` says what and where, for the log and
// for the command line. It may be empty where the errno says it all (ENOENT of a lookup): that path must stay cheap.
struct Error {
  int code = EIO;
  std::string context;

  // One line: "context: strerror(code)".
  std::string message() const;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;
using Failure = tl::unexpected<Error>;

inline Failure fail(int code) { return Failure(Error{code, {}}); }

template <typename... Args>
Failure fail(int code, fmt::format_string<Args...> format, Args&&... args) {
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// The failure of the system call that just returned -1.
inline Failure fail_errno() { return fail(errno); }

template <typename... Args>
Failure fail_errno(fmt::format_string<Args...> format, Args&&... args) {
  const int code = errno;
  return Failure(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace forebay

#define FOREBAY_CONCAT_INNER(a, b) a##b
#define FOREBAY_CONCAT(a, b) FOREBAY_CONCAT_INNER(a, b)

// RETURN_IF_ERROR(expr): leaves the function with expr's error, if it has one.
#define RETURN_IF_ERROR(expr)                                                          \
  do {                                                                                 \
    auto&& forebay_status = (expr);                                                    \
    if (!forebay_status) return ::forebay::Failure(std::move(forebay_status).error()); \
  } while (false)

// ASSIGN_OR_RETURN(auto x, expr): x becomes expr's value, or the function returns its error.
#define ASSIGN_OR_RETURN(declaration, expr) ASSIGN_OR_RETURN_INNER(FOREBAY_CONCAT(result_, __LINE__), declaration, expr)
#define ASSIGN_OR_RETURN_INNER(name, declaration, expr)          \
  auto name = (expr);                                            \
  if (!name) return ::forebay::Failure(std::move(name).error()); \
  declaration = *std::move(name)
