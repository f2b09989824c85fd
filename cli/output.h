// What a person sees: lines of error, and exit statuses.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"

namespace forebay::cli {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

// `text` on one line: control characters, which a path may hold, as \n, \t, \x1b.
std::string one_line(std::string_view text);

// What an error says to a person. Where its context is the whole reason (EINVAL, ENOTSUP, ENOTTY, EPROTO, EXDEV: our
// own judgement, not the kernel's), the errno's words are left out.
std::string error_text(const Error& error);

// "forebay: TEXT" on stderr, as one line. Thread safe.
void print_error(std::string_view text);

// Prints the error and returns kExitFailure.
int report(const Error& error);

}  // namespace forebay::cli
