#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "core/config.h"
#include "core/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace forebay {
namespace {

using namespace std::chrono_literals;
using test::TempDir;
using test::write_file;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class ConfigFile : public testing::Test {
 protected:
  Status load(const std::string& text) {
    write_file(file_, text);
    return load_config_file(config_, file_);
  }

  // The message after "FILE:LINE: ".
  std::string complaint(const std::string& text, int line, int code = EINVAL) {
    const Status loaded = load(text);
    EXPECT_FALSE(loaded) << text;
    if (loaded) return {};
    EXPECT_EQ(loaded.error().code, code);
    const std::string prefix = file_ + ":" + std::to_string(line) + ": ";
    EXPECT_THAT(loaded.error().context, StartsWith(prefix));
    return loaded.error().context.substr(std::min(prefix.size(), loaded.error().context.size()));
  }

  TempDir directory_;
  std::string file_ = directory_ / "forebay.toml";
  Config config_;
};

TEST_F(ConfigFile, AllDefaultsCanBeWritten) {
  std::string text, table;
  for (const ConfigKeyInfo& row : config_keys()) {
    const std::string group(row.key.substr(0, row.key.find('.')));
    if (group != table) text += "[" + group + "]\n";
    table = group;
    text += std::string(row.key.substr(group.size() + 1)) + " = " + row.default_value + "\n";
  }
  const Status loaded = load(text);
  EXPECT_TRUE(loaded) << text << loaded.error().context;
}

TEST_F(ConfigFile, TakesTextAndNumbers) {
  const Status loaded = load(R"(
flush.policy = "manual"      # dotted keys are TOML, too
[cache]
capacity = "1GiB"
chunk_size = 1048576
[evict]
high = "80%"
low = 104857600
[fetch]
streams = 8
[consistency]
attr_ttl = 3
[stripe]
count = 1
)");
  ASSERT_TRUE(loaded) << loaded.error().context;
  EXPECT_EQ(config_.flush.policy, FlushPolicy::kManual);
  EXPECT_EQ(config_.cache.capacity.bytes, 1u << 30);
  EXPECT_EQ(config_.cache.chunk_size_bytes, 1u << 20);
  EXPECT_EQ(config_.evict.high.fraction, 0.8);
  EXPECT_EQ(config_.evict.low.bytes, 100u << 20);
  EXPECT_EQ(config_.fetch.streams, 8u);
  EXPECT_EQ(config_.consistency.attr_ttl, 3s);
  ASSERT_TRUE(load("consistency.attr_ttl = 0.5"));
  EXPECT_EQ(config_.consistency.attr_ttl, 500ms);
}

TEST_F(ConfigFile, AnEmptyOneIsFine) { EXPECT_TRUE(load("")); }

TEST_F(ConfigFile, UnknownKeysAndTablesAreNamedWithTheirLine) {
  EXPECT_EQ(complaint("[evict]\nhihg = \"90%\"\n", 2),
            "unknown configuration key \"evict.hihg\"; did you mean \"evict.high\"?");
  EXPECT_EQ(complaint("\n\n[evcit]\nhigh = \"90%\"\n", 3), "unknown table \"evcit\"; did you mean \"evict\"?");
  EXPECT_THAT(complaint("capacity = \"1GiB\"\n", 1), HasSubstr("did you mean \"cache.capacity\"?"));
  EXPECT_THAT(complaint("[cache.more]\nx = 1\n", 1), HasSubstr("\"cache.more\""));
}

TEST_F(ConfigFile, IllTypedValuesAreNamedWithWhatTheyShouldBe) {
  EXPECT_EQ(complaint("[flush]\nstreams = \"4\"\n", 2),
            "flush.streams: this is text in quotes; it takes a whole number without quotes, such as 4");
  EXPECT_THAT(complaint("[flush]\nstreams = 4.5\n", 2), HasSubstr("a decimal number"));
  EXPECT_THAT(complaint("[flush]\npolicy = true\n", 2), HasSubstr("flush.policy: this is true or false"));
  EXPECT_THAT(complaint("[flush]\ndelay = [1, 2]\n", 2), HasSubstr("an array"));
  EXPECT_THAT(complaint("[cache]\ncapacity = 1.5\n", 2), HasSubstr("cache.capacity: this is a decimal number"));
  EXPECT_THAT(complaint("[cache.capacity]\nbytes = 1\n", 1), HasSubstr("cache.capacity: this is a table"));
  EXPECT_THAT(complaint("[log]\nlevel = 3\n", 2), HasSubstr("log.level: this is a whole number"));
  EXPECT_THAT(complaint("[flush]\ndelay = 2020-01-01\n", 2), HasSubstr("a date"));
  EXPECT_THAT(complaint("[cache]\ncapacity = -1\n", 2), HasSubstr("\"-1\" is not a size"));
}

TEST_F(ConfigFile, BadValuesAreNamedWithTheirLine) {
  EXPECT_THAT(complaint("[cache]\n\ncapacity = \"many\"\n", 3), HasSubstr("cache.capacity: \"many\" is not a size"));
  EXPECT_THAT(complaint("[flush]\nmode = \"atomic\"\n", 2, ENOTSUP), HasSubstr("not available in this version"));
}

TEST_F(ConfigFile, TheFirstOfSeveralMistakesIsTold) {
  EXPECT_THAT(complaint("[log]\nlevel = \"loud\"\n[cache]\ncapacity = \"many\"\n[evcit]\n", 2), HasSubstr("loud"));
}

TEST_F(ConfigFile, WhatIsNoTomlIsNamedWithItsLine) {
  complaint("[cache]\ncapacity = \n", 2);
  complaint("[cache\n", 1);
  complaint("[cache]\ncapacity = \"1GiB\"\ncapacity = \"2GiB\"\n", 3);
  complaint("\xff\xfe", 1);
}

TEST_F(ConfigFile, IsAppliedWhollyOrNotAtAll) {
  complaint("[cache]\ncapacity = \"1GiB\"\n[log]\nlevel = \"loud\"\n", 4);
  EXPECT_EQ(config_.cache.capacity.fraction, Config().cache.capacity.fraction);
}

// forebay config check <(make-config): the other program may be slower than we are.
TEST_F(ConfigFile, MayBeAPipeThatIsStillWritten) {
  const std::string path = directory_ / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  UniqueFd writer(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  const std::string first = "[cache]\n", second = "chunk_size = \"1MiB\"\n";
  ASSERT_EQ(::write(writer.get(), first.data(), first.size()), static_cast<ssize_t>(first.size()));
  Config config;
  auto loaded = std::async(std::launch::async, [&] { return load_config_file(config, path); });
  for (int unread = 1; unread > 0;) {
    ASSERT_EQ(::ioctl(writer.get(), FIONREAD, &unread), 0);
    if (loaded.wait_for(std::chrono::seconds(0)) == std::future_status::ready) break;
  }
  ASSERT_EQ(::write(writer.get(), second.data(), second.size()), static_cast<ssize_t>(second.size()));
  writer.reset();
  EXPECT_TRUE(loaded.get());
  EXPECT_EQ(config.cache.chunk_size_bytes, 1u << 20);
}

TEST_F(ConfigFile, ThatCannotBeReadIsNamed) {
  const Status missing = load_config_file(config_, directory_ / "nowhere.toml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_THAT(missing.error().message(), EndsWith("nowhere.toml: No such file or directory"));
  const Status directory = load_config_file(config_, directory_.path());
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, EISDIR);
  const Status device = load_config_file(config_, "/dev/zero");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, EFBIG);
}

}  // namespace
}  // namespace forebay
