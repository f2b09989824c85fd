#include "core/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace forebay {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// As on a command line: without the quotes of TOML.
std::string plain(const std::string& toml) { return toml.starts_with('"') ? toml.substr(1, toml.size() - 2) : toml; }

std::string error_of(std::string_view key, std::string_view value, int code = EINVAL) {
  Config config;
  const Status set = set_config_key(config, key, value);
  EXPECT_FALSE(set) << key << " = " << value;
  if (set) return {};
  EXPECT_EQ(set.error().code, code) << set.error().context;
  return set.error().context;
}

TEST(ConfigKeys, EveryDefaultCanBeSet) {
  for (const ConfigKeyInfo& row : config_keys()) {
    Config config;
    const Status set = set_config_key(config, row.key, plain(row.default_value));
    EXPECT_TRUE(set) << row.key << ": " << (set ? "" : set.error().context);
    EXPECT_TRUE(check_config(config)) << row.key;
  }
}

TEST(ConfigKeys, SettingTheDefaultsChangesNothing) {
  const Config defaults;
  Config config;
  config.cache.capacity = Share{{}, 1};
  config.cache.chunk_size_bytes = 1;
  config.evict.high = config.evict.low = config.flush.max_dirty = Share{{}, 1};
  config.flush.policy = FlushPolicy::kManual;
  config.flush.delay = config.consistency.attr_ttl = 1ms;
  config.flush.streams = config.fetch.streams = config.fuse.threads = 1;
  config.fetch.mode = FetchMode::kWhole;
  config.fetch.readahead_bytes = 1;
  config.consistency.validate = Validate::kNever;
  config.consistency.conflict = ConflictRule::kCacheWins;
  config.log.target = config.log.level = "x";
  for (const ConfigKeyInfo& row : config_keys()) ASSERT_TRUE(set_config_key(config, row.key, plain(row.default_value)));
  EXPECT_EQ(config.cache.capacity.fraction, defaults.cache.capacity.fraction);
  EXPECT_EQ(config.cache.chunk_size_bytes, defaults.cache.chunk_size_bytes);
  EXPECT_EQ(config.evict.high.fraction, defaults.evict.high.fraction);
  EXPECT_EQ(config.evict.low.fraction, defaults.evict.low.fraction);
  EXPECT_EQ(config.flush.policy, defaults.flush.policy);
  EXPECT_EQ(config.flush.delay, defaults.flush.delay);
  EXPECT_EQ(config.flush.max_dirty.fraction, defaults.flush.max_dirty.fraction);
  EXPECT_EQ(config.flush.streams, defaults.flush.streams);
  EXPECT_EQ(config.fetch.mode, defaults.fetch.mode);
  EXPECT_EQ(config.fetch.readahead_bytes, defaults.fetch.readahead_bytes);
  EXPECT_EQ(config.fetch.streams, defaults.fetch.streams);
  EXPECT_EQ(config.consistency.validate, defaults.consistency.validate);
  EXPECT_EQ(config.consistency.attr_ttl, defaults.consistency.attr_ttl);
  EXPECT_EQ(config.consistency.conflict, defaults.consistency.conflict);
  EXPECT_EQ(config.fuse.threads, defaults.fuse.threads);
  EXPECT_EQ(config.log.target, defaults.log.target);
  EXPECT_EQ(config.log.level, defaults.log.level);
}

TEST(ConfigKeys, AreDocumentedAndUnique) {
  std::set<std::string_view> seen;
  for (const ConfigKeyInfo& row : config_keys()) {
    EXPECT_TRUE(seen.insert(row.key).second) << row.key;
    EXPECT_FALSE(row.meaning.empty()) << row.key;
    EXPECT_TRUE(row.meaning.ends_with('.')) << row.key;
    EXPECT_FALSE(row.type.empty()) << row.key;
    EXPECT_FALSE(row.default_value.empty()) << row.key;
  }
}

TEST(ConfigKeys, DefaultsAreWrittenAsInAFile) {
  std::map<std::string_view, std::string> defaults;
  for (const ConfigKeyInfo& row : config_keys()) defaults[row.key] = row.default_value;
  EXPECT_EQ(defaults["cache.capacity"], "\"90%\"");
  EXPECT_EQ(defaults["cache.chunk_size"], "\"512KiB\"");
  EXPECT_EQ(defaults["flush.delay"], "\"5s\"");
  EXPECT_EQ(defaults["flush.policy"], "\"write-back\"");
  EXPECT_EQ(defaults["flush.streams"], "8");
  EXPECT_EQ(defaults["fetch.readahead"], "\"64MiB\"");
  EXPECT_EQ(defaults["stripe.count"], "\"auto\"");
}

TEST(SetConfigKey, SetsFields) {
  Config config;
  ASSERT_TRUE(set_config_key(config, "cache.capacity", "64MiB"));
  EXPECT_EQ(config.cache.capacity.fraction, std::nullopt);
  EXPECT_EQ(config.cache.capacity.bytes, 64u << 20);
  ASSERT_TRUE(set_config_key(config, "evict.low", "12.5%"));
  EXPECT_DOUBLE_EQ(config.evict.low.fraction.value(), 0.125);
  ASSERT_TRUE(set_config_key(config, "flush.delay", "250ms"));
  EXPECT_EQ(config.flush.delay, 250ms);
  ASSERT_TRUE(set_config_key(config, "flush.policy", "on-close"));
  EXPECT_EQ(config.flush.policy, FlushPolicy::kOnClose);
  ASSERT_TRUE(set_config_key(config, "consistency.conflict", "external-wins"));
  EXPECT_EQ(config.consistency.conflict, ConflictRule::kExternalWins);
  ASSERT_TRUE(set_config_key(config, "fuse.threads", "2"));
  EXPECT_EQ(config.fuse.threads, 2u);
  ASSERT_TRUE(set_config_key(config, "log.target", "/var/log/forebay.log"));
  EXPECT_EQ(config.log.target, "/var/log/forebay.log");
}

TEST(SetConfigKey, NamesTheNearestKeyForAnUnknownOne) {
  EXPECT_EQ(error_of("evict.hihg", "90%"), "unknown configuration key \"evict.hihg\"; did you mean \"evict.high\"?");
  EXPECT_THAT(error_of("flush_delay", "1s"), HasSubstr("flush.delay"));
  EXPECT_THAT(error_of("capacity", "1GiB"), HasSubstr("cache.capacity"));
  EXPECT_THAT(error_of("cache.readahed", "1GiB"), HasSubstr("fetch.readahead"));
  EXPECT_EQ(error_of("frobnicate", "1"), "unknown configuration key \"frobnicate\"");
  EXPECT_EQ(error_of("", "1"), "unknown configuration key \"\"");
}

TEST(SetConfigKey, SaysWhatIsWrongWithAValue) {
  EXPECT_EQ(error_of("cache.capacity", "many"),
            "cache.capacity: \"many\" is not a size (examples: \"10GiB\", \"90%\")");
  EXPECT_THAT(error_of("cache.capacity", "1MiB"), HasSubstr("at least 4MiB"));
  EXPECT_THAT(error_of("cache.capacity", "0%"), HasSubstr("percentage"));
  EXPECT_THAT(error_of("cache.capacity", "101%"), HasSubstr("percentage"));
  EXPECT_THAT(error_of("cache.capacity", "-5%"), HasSubstr("percentage"));
  EXPECT_THAT(error_of("cache.capacity", "nan%"), HasSubstr("percentage"));
  EXPECT_THAT(error_of("cache.capacity", "%"), HasSubstr("percentage"));
  EXPECT_THAT(error_of("cache.chunk_size", "100KiB"), HasSubstr("power of two"));
  EXPECT_THAT(error_of("cache.chunk_size", "32KiB"), HasSubstr("64KiB to 64MiB"));
  EXPECT_THAT(error_of("cache.chunk_size", "128MiB"), HasSubstr("64KiB to 64MiB"));
  EXPECT_THAT(error_of("flush.delay", "soon"), HasSubstr("\"soon\" is not a duration"));
  EXPECT_THAT(error_of("flush.policy", "writeback"), HasSubstr("did you mean \"write-back\"?"));
  EXPECT_THAT(error_of("flush.policy", "never"), HasSubstr("\"manual\""));
  EXPECT_THAT(error_of("flush.streams", "0"), HasSubstr("1 to 64"));
  EXPECT_THAT(error_of("flush.streams", "65"), HasSubstr("1 to 64"));
  EXPECT_THAT(error_of("flush.streams", "99999999999"), HasSubstr("1 to 64"));
  EXPECT_THAT(error_of("flush.streams", "four"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("flush.streams", "-1"), HasSubstr("whole number"));
  EXPECT_THAT(error_of("flush.streams", ""), HasSubstr("whole number"));
  EXPECT_THAT(error_of("fuse.threads", "1"), HasSubstr("2 to 256"));
  EXPECT_THAT(error_of("evict.policy", "fifo"), HasSubstr("lru"));
  EXPECT_THAT(error_of("log.target", "forebay.log"), HasSubstr("absolute path"));
  EXPECT_THAT(error_of("log.level", "loud"), HasSubstr("loud"));
  EXPECT_THAT(error_of("log.level", "info,strage=debug"), HasSubstr("did you mean \"storage\"?"));
}

TEST(SetConfigKey, TellsWhatThisVersionDoesNotDo) {
  EXPECT_EQ(error_of("flush.mode", "atomic", ENOTSUP),
            "flush.mode = \"atomic\" is not available in this version; use \"in-place\"");
  EXPECT_THAT(error_of("external.timeout", "30s", ENOTSUP), HasSubstr("\"none\""));
}

TEST(SetConfigKey, TellsNonsenseFromWhatIsNotDoneYet) {
  error_of("flush.mode", "sideways");
  error_of("flush.bandwidth", "fast");
  error_of("stripe.count", "0");
  error_of("stripe.count", "some");
  error_of("stripe.count", "1000");
  error_of("stripe.threshold", "large");
  error_of("external.timeout", "soon");
  error_of("fuse.passthrough", "perhaps");
  error_of("fuse.io_uring", "read");
  Config config;
  EXPECT_TRUE(set_config_key(config, "stripe.count", "8"));
  EXPECT_EQ(config.stripe.count, 8u);
  EXPECT_TRUE(set_config_key(config, "stripe.threshold", "unlimited"));
  EXPECT_EQ(config.stripe.threshold_bytes, UINT64_MAX);
  EXPECT_TRUE(set_config_key(config, "fuse.passthrough", "off"));
  EXPECT_TRUE(set_config_key(config, "fuse.io_uring", "on"));
}

TEST(SetConfigKey, LeavesTheConfigurationAloneWhenItFails) {
  Config config;
  EXPECT_FALSE(set_config_key(config, "cache.chunk_size", "100KiB"));
  EXPECT_EQ(config.cache.chunk_size_bytes, Config().cache.chunk_size_bytes);
  EXPECT_FALSE(set_config_key(config, "cache.capacity", "1B"));
  EXPECT_TRUE(config.cache.capacity.fraction.has_value());
}

TEST(CheckConfig, AcceptsTheDefaults) { EXPECT_TRUE(check_config(Config())); }

TEST(CheckConfig, WantsLowBelowHigh) {
  Config config;
  config.evict.low = config.evict.high;
  ASSERT_FALSE(check_config(config));
  EXPECT_THAT(check_config(config).error().context, HasSubstr("evict.low: 90% is not below evict.high, 90%"));
  config.evict.low = Share{{}, 10 << 20};
  EXPECT_TRUE(check_config(config)) << "a size cannot be compared with a share of an unknown whole";
  config.cache.capacity = Share{{}, 10 << 20};
  EXPECT_FALSE(check_config(config)) << "10MiB of 10MiB is not below 90%";
  config.evict.low = Share{{}, 8 << 20};
  EXPECT_TRUE(check_config(config));
  config.evict.high = Share{{}, 8 << 20};
  EXPECT_FALSE(check_config(config));
}

TEST(CheckConfig, WantsAllOfTlsOrNothing) {
  for (const char* left_out : {"cluster.tls_certificate", "cluster.tls_key", "cluster.tls_ca"}) {
    Config config;
    for (const char* key : {"cluster.tls_certificate", "cluster.tls_key", "cluster.tls_ca"}) {
      ASSERT_TRUE(set_config_key(config, key, "/etc/forebay/file"));
    }
    EXPECT_TRUE(check_config(config));
    ASSERT_TRUE(set_config_key(config, left_out, "none"));
    ASSERT_FALSE(check_config(config)) << left_out;
    EXPECT_EQ(check_config(config).error().code, EINVAL);
    EXPECT_THAT(check_config(config).error().context, HasSubstr(left_out));
  }
}

TEST(CheckConfig, WantsFourChunksOfCapacity) {
  Config config;
  config.cache.chunk_size_bytes = 4 << 20;
  config.cache.capacity = Share{{}, 15 << 20};
  ASSERT_FALSE(check_config(config));
  EXPECT_EQ(check_config(config).error().code, EINVAL);
  EXPECT_THAT(check_config(config).error().context, HasSubstr("four chunks"));
  config.cache.capacity = Share{{}, 16 << 20};
  EXPECT_TRUE(check_config(config));
}

TEST(CheckConfig, WantsAPowerOfTwo) {
  Config config;
  config.cache.chunk_size_bytes = 3 << 16;
  EXPECT_FALSE(check_config(config));
  config.cache.chunk_size_bytes = 0;
  EXPECT_FALSE(check_config(config));
}

TEST(Share, IsNeverMoreThanTheWhole) {
  EXPECT_EQ((Share{0.5, 0}).of(1000), 500u);
  EXPECT_EQ((Share{1.0, 0}).of(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ((Share{{}, 300}).of(1000), 300u);
  EXPECT_EQ((Share{{}, 3000}).of(1000), 1000u);
  EXPECT_EQ((Share{0.5, 0}).of(0), 0u);
}

}  // namespace
}  // namespace forebay
