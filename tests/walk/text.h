// Names and contents as a person can read them, and as a state file can carry them.
#pragma once

#include <string>
#include <string_view>

namespace forebay::walk {

// Quoted, with everything unprintable escaped; runs of one byte as x{count}, the middle of long ones left out.
std::string printable(std::string_view bytes);

// Errors by name: "ENOENT".
std::string error_name(int error);

std::string to_hex(std::string_view bytes);
std::string from_hex(std::string_view text);

// Where two byte strings differ: offset, how many bytes, a sample of both.
std::string bytes_difference(std::string_view subject, std::string_view model);

// "S_IFREG" and so on as one word.
const char* type_name(unsigned mode);

}  // namespace forebay::walk
