#include "tests/support/seed.h"

#include <cstdlib>
#include <iostream>
#include <random>

namespace forebay::test {

uint32_t test_seed() {
  const char* const given = std::getenv("FOREBAY_TEST_SEED");
  const uint32_t seed =
      given == nullptr ? std::random_device{}() : static_cast<uint32_t>(std::strtoul(given, nullptr, 10));
  std::cout << "repeat with FOREBAY_TEST_SEED=" << seed << std::endl;
  return seed;
}

}  // namespace forebay::test
