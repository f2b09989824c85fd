// Access to mapped memory whose file may shrink, or whose daemon may die: SIGBUS becomes an error.
#pragma once

#include <cstddef>

namespace forebay::walk {

// Once, before any thread starts.
void install_bus_guard();

// memcpy; false if it hit SIGBUS.
bool guarded_copy(void* to, const void* from, size_t length);

}  // namespace forebay::walk
