// Listings that the kernel keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/support/files.h"
#include "tests/support/mounted_cache.h"
#include "tests/support/slow_outside.h"

namespace forebay::test {
namespace {

class Listing : public testing::Test {
 protected:
  static std::vector<std::string> names_in(const std::string& directory) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  using Names = std::vector<std::string>;
  MountedCache cache_;
};

TEST_F(Listing, CountsAsLongAsAnyOtherAnswer) {
  SlowOutside outside(cache_.external());
  write_file(cache_.outside("a"), "");
  cache_.mount({.settings = {"consistency.attr_ttl=1h"}});
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"a"}));
  (void)outside.take_counts();
  write_file(outside.behind("b"), "");
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"a"}));
  // The end of the first listing may reach the outside later.
  EXPECT_THAT(outside.take_counts(), testing::AnyOf("", "releasedir=1")) << "the outside need not have been asked";
  write_file(cache_.inside("c"), "");
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"a", "b", "c"})) << "what changes here is seen at once";
  std::filesystem::remove(cache_.inside("a"));
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"b", "c"}));
  std::filesystem::rename(cache_.inside("b"), cache_.inside("d"));
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"c", "d"}));
}

TEST_F(Listing, IsNewEachTimeWhereEverythingIsValidated) {
  cache_.mount({.settings = {"consistency.validate=always"}});
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{}));
  write_file(cache_.outside("a"), "");
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"a"}));
  write_file(cache_.outside("b"), "");
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"a", "b"}));
}

TEST_F(Listing, TheFileThatAConflictMakesIsSeen) {
  cache_.mount({.settings = {"consistency.attr_ttl=1h", "flush.policy=manual"}});
  write_file(cache_.inside("both"), "OURS");
  write_file(cache_.outside("both"), "theirs");
  EXPECT_EQ(names_in(cache_.mountpoint()), (Names{"both"}));
  (void)cache_.try_run({"flush", cache_.mountpoint()});
  EXPECT_EQ(names_in(cache_.mountpoint()).size(), 2u);
}

}  // namespace
}  // namespace forebay::test
