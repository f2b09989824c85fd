# Language, warnings, sanitizers, and the compiler cache: the same for every target.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# Line numbers are enough for a backtrace, and assertions stay on: a cache that goes on with a broken invariant loses
# data, one that stops does not.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1")
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g")

option(FOREBAY_WERROR "Treat warnings as errors" ON)
set(FOREBAY_SANITIZE "" CACHE STRING "Sanitizers, as for -fsanitize= (address,undefined or thread)")

add_compile_definitions(_FILE_OFFSET_BITS=64 _GNU_SOURCE _GLIBCXX_ASSERTIONS)
add_compile_options(
  -Wall -Wextra -Wshadow -Wno-maybe-uninitialized -Wnon-virtual-dtor -Woverloaded-virtual -Wsuggest-override -Wextra-semi -Wvla
  # Designated initializers that name only what differs from the default are how requests are written here.
  -Wno-missing-field-initializers
  $<$<BOOL:${FOREBAY_WERROR}>:-Werror>
  # __FILE__ in logs and assertions is the path in the source tree, whatever tree was built.
  -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=
  -fdiagnostics-color=auto)

if(FOREBAY_SANITIZE)
  # GCC sees uninitialized variables in code that the sanitizers have put there.
  add_compile_options(-fsanitize=${FOREBAY_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
                      -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${FOREBAY_SANITIZE})
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O0 -g1")
  if(FOREBAY_SANITIZE MATCHES thread)
    # ThreadSanitizer cannot map its shadow under the wide address randomization of recent kernels.
    find_program(FOREBAY_SETARCH setarch)
    if(FOREBAY_SETARCH)
      set(CMAKE_CROSSCOMPILING_EMULATOR "${FOREBAY_SETARCH};-R")
    endif()
  endif()
endif()

find_program(FOREBAY_CCACHE ccache)
if(FOREBAY_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these ccache takes nothing that was compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER /usr/bin/env CCACHE_SLOPPINESS=pch_defines,time_macros ${FOREBAY_CCACHE})
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
endif()

# With CMAKE_UNITY_BUILD (the sanitizer presets): this many files are compiled as one, which shares the parsing of headers.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)
