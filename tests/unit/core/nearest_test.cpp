#include "core/nearest.h"

#include <gtest/gtest.h>

namespace forebay {
namespace {

TEST(EditDistance, CountsChanges) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("abc", "axc"), 1u);
  EXPECT_EQ(edit_distance("abc", "abxc"), 1u);
  EXPECT_EQ(edit_distance("high", "hihg"), 1u) << "neighbours that were swapped are one slip";
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Nearest, FindsSlips) {
  const std::vector<std::string_view> words = {"mount", "unmount", "status", "stat", "flush"};
  EXPECT_EQ(nearest("mont", words), "mount");
  EXPECT_EQ(nearest("umount", words), "unmount") << "of two that are one letter away, the one that begins alike";
  EXPECT_EQ(nearest("statsu", words), "status");
  EXPECT_EQ(nearest("flsh", words), "flush");
}

TEST(Nearest, KeepsQuietWhenNothingIsNear) {
  const std::vector<std::string_view> words = {"mount", "status", "on"};
  EXPECT_EQ(nearest("frobnicate", words), std::nullopt);
  EXPECT_EQ(nearest("", words), std::nullopt);
  EXPECT_EQ(nearest("xy", {"on"}), std::nullopt) << "two changes of two letters are another word";
  EXPECT_EQ(nearest(std::string(100'000, 'x'), words), std::nullopt);
  EXPECT_EQ(nearest("mount", {}), std::nullopt);
}

TEST(Suggestion, IsAQuestionOrNothing) {
  EXPECT_EQ(suggestion("mont", {"mount"}), "; did you mean \"mount\"?");
  EXPECT_EQ(suggestion("frobnicate", {"mount"}), "");
}

}  // namespace
}  // namespace forebay
