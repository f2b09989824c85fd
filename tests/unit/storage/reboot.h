// A target as the machine's next start finds it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

#include "core/io.h"
#include "core/unique_fd.h"

namespace forebay::storage {

// As if the account in `target` had last been open before the machine's latest start: another boot's identity.
inline void pretend_reboot(const std::string& target) {
  constexpr uint64_t kBootOffset = 32;
  const UniqueFd fd(::open((target + "/space").c_str(), O_RDWR));
  ASSERT_TRUE(pwrite_full(fd.get(), "00000000", 8, kBootOffset));
}

}  // namespace forebay::storage
