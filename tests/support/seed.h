// Where a test that works at random begins.
#pragma once

#include <cstdint>

namespace forebay::test {

// $FOREBAY_TEST_SEED, or a fresh one; printed, for whoever wants to repeat the test.
uint32_t test_seed();

}  // namespace forebay::test
