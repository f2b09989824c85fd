#include "core/units.h"

#include <gtest/gtest.h>

#include <limits>

namespace forebay {
namespace {

using namespace std::chrono_literals;

TEST(ParseBytes, TakesNumbersWithAndWithoutUnits) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"12B", 12},
      {"512KiB", 512 << 10},
      {"64 MiB", 64 << 20},
      {"10GiB", 10ull << 30},
      {"2TiB", 2ull << 40},
      {"1PiB", 1ull << 50},
      {"1.5GB", 1'500'000'000},
      {"1.5GiB", 3ull << 29},
      {"0.5k", 512},
      {"7M", 7 << 20},
      {"7mb", 7'000'000},
      {"1gib", 1 << 30},
      {"0.1B", 0},
      {"9223372036854775807", std::numeric_limits<int64_t>::max()},
      {"8191PiB", 8191ull << 50},
  };
  for (const auto& [text, bytes] : cases) {
    const auto parsed = parse_bytes(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ParseBytes, RefusesWhatIsNoSize) {
  for (const char* text : {"", " ", "many", "-1", "+1", "1e3", "0x10", "1.", ".5", "1..5", "5 apples", "10GiBx", "KiB",
                           "1,5GiB", " 1", "1\n", "inf", "nan", "90%"}) {
    const auto parsed = parse_bytes(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, EINVAL);
    EXPECT_NE(parsed.error().context.find(text), std::string::npos) << "the message names the text";
  }
}

TEST(ParseBytes, RefusesWhatDoesNotFit63Bits) {
  for (const char* text : {"9223372036854775808", "8192PiB", "18446744073709551616", "99999999999999999999999",
                           "9007199254740992KiB", "8191.9999999999999999999999PiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(ParseDuration, TakesNumbersWithAndWithoutUnits) {
  const std::pair<const char*, std::chrono::milliseconds> cases[] = {
      {"0", 0ms},     {"5", 5s},    {"0.5", 500ms}, {"250ms", 250ms}, {"1s", 1s},      {"90 sec", 90s},
      {"5min", 5min}, {"5m", 5min}, {"2h", 2h},     {"1d", 24h},      {"1.5h", 90min}, {"0.4ms", 0ms},
  };
  for (const auto& [text, duration] : cases) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, duration) << text;
  }
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "soon", "-1s", "1 fortnight", "1KiB", "s", "1e3s", "99999999999d", "1000000000000h"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, EINVAL);
  }
}

TEST(ParseDuration, TheLongestStillFitsNanoseconds) {
  const auto longest = parse_duration("36500d");
  ASSERT_TRUE(longest);
  EXPECT_GT(std::chrono::nanoseconds(*longest).count(), 0);
  EXPECT_FALSE(parse_duration("36501d"));
}

TEST(FormatBytes, IsShortAndExactWhereItCanBe) {
  const std::pair<uint64_t, const char*> cases[] = {
      {0, "0 B"},
      {1, "1 B"},
      {1023, "1023 B"},
      {1024, "1.0 KiB"},
      {1536, "1.5 KiB"},
      {(1 << 20) - 1, "1.0 MiB"},
      {1 << 20, "1.0 MiB"},
      {5ull << 30, "5.0 GiB"},
      {3ull << 40, "3.0 TiB"},
      {std::numeric_limits<uint64_t>::max(), "16.0 EiB"},
  };
  for (const auto& [bytes, text] : cases) EXPECT_EQ(format_bytes(bytes), text);
}

TEST(FormatDuration, ShowsTheTwoLargestUnits) {
  const std::pair<std::chrono::seconds, const char*> cases[] = {
      {0s, "0s"},        {12s, "12s"},     {59s, "59s"},       {60s, "1m00s"}, {65s, "1m05s"},
      {3599s, "59m59s"}, {3600s, "1h00m"}, {86399s, "23h59m"}, {24h, "1d00h"}, {24h * 400 + 5h, "400d05h"},
      {-5s, "0s"},
  };
  for (const auto& [duration, text] : cases) EXPECT_EQ(format_duration(duration), text);
}

}  // namespace
}  // namespace forebay
