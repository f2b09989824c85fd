#include "core/links.h"

#include <gtest/gtest.h>

namespace forebay {
namespace {

using Links = std::vector<Link>;

TEST(Links, AreReadFromTheConfiguration) {
  Config config;
  ASSERT_TRUE(set_config_key(config, "links.external", "home=/gpfs/home,a/b/=/gpfs/x=y"));
  ASSERT_TRUE(set_config_key(config, "links.transient", "scratch"));
  const Result<Links> links = links_of(config);
  ASSERT_TRUE(links);
  EXPECT_EQ(*links, (Links{{"home", "/gpfs/home"}, {"a/b", "/gpfs/x=y"}, {"scratch", ""}}));
  for (const Link& link : *links) EXPECT_EQ(*parse_link(text_of(link)), link);
}

TEST(Links, WrongOnesAreRefusedWithTheirText) {
  for (const char* text : {"home", "=/gpfs", "/home=/gpfs", "../home=/gpfs", "a/../..=/gpfs", ".=/gpfs", "home=gpfs",
                           "home=", "a\nb=/gpfs", "a=/x,a=/y", "a=/x,a/b=/y"}) {
    Config config;
    const Status set = set_config_key(config, "links.external", text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code, EINVAL) << text;
    EXPECT_EQ(config.links.external, "") << text;
  }
}

TEST(Links, ATransientDirectoryMayNotLieInAnotherLink) {
  Config config;
  ASSERT_TRUE(set_config_key(config, "links.external", "home=/gpfs/home"));
  EXPECT_FALSE(set_config_key(config, "links.transient", "home"));
  EXPECT_FALSE(set_config_key(config, "links.transient", "home/scratch"));
  EXPECT_FALSE(set_config_key(config, "links.transient", "/scratch"));
  EXPECT_TRUE(set_config_key(config, "links.transient", "homes"));
}

}  // namespace
}  // namespace forebay
