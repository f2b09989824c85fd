// What a mistyped word was probably meant to be.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace forebay {

// The number of letters to insert, drop, replace or swap with their neighbour to make `b` of `a`.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate that `word` was most likely meant to be: the nearest one, when it is near enough to be a slip of the
// fingers (about a third of the letters). Of equally near ones, the first with the same first
// letter, or else the first. Thread safe.
std::optional<std::string_view> nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// `; did you mean "evict.high"?`, or nothing when no candidate is near.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace forebay
