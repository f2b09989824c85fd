# Other people's libraries, all of them Debian packages (scripts/setup). Imported targets: their headers are system
# headers to the compiler, so our warnings do not judge them.

find_package(Threads REQUIRED)
find_package(spdlog REQUIRED CONFIG)
find_package(fmt REQUIRED CONFIG)
find_package(tl-expected REQUIRED CONFIG)
find_package(nlohmann_json REQUIRED CONFIG)
find_package(CLI11 REQUIRED CONFIG)
find_package(Protobuf REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(PkgConfig REQUIRED)

foreach(module IN ITEMS liburing sqlite3 libsystemd libxxhash tomlplusplus)
  string(REGEX REPLACE "^lib" "" name ${module})
  pkg_check_modules(${name} REQUIRED QUIET IMPORTED_TARGET ${module})
  add_library(deps::${name} ALIAS PkgConfig::${name})
endforeach()

# libfuse: the newer one that scripts/setup built, if it did, else the system's. Asked for anew at every configuration,
# because pkg_check_modules would remember the old answer after setup has built the newer one.
set(own_fuse "${CMAKE_SOURCE_DIR}/build/deps/libfuse/lib/pkgconfig")
function(ask_pkg_config result)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${own_fuse}:$ENV{PKG_CONFIG_PATH}" ${PKG_CONFIG_EXECUTABLE} ${ARGN} fuse3
    OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  separate_arguments(output UNIX_COMMAND "${output}")
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

ask_pkg_config(FOREBAY_FUSE_VERSION --modversion)
if(NOT FOREBAY_FUSE_VERSION)
  message(FATAL_ERROR "libfuse 3 is not there; run scripts/setup")
endif()
ask_pkg_config(fuse_includes --cflags-only-I)
ask_pkg_config(fuse_libdir --variable=libdir)
ask_pkg_config(fuse_libraries --libs)
list(TRANSFORM fuse_includes REPLACE "^-I" "")
find_library(fuse_library NAMES libfuse3.a fuse3 PATHS "${fuse_libdir}" NO_DEFAULT_PATH NO_CACHE REQUIRED)
list(TRANSFORM fuse_libraries REPLACE "^-lfuse3$" "${fuse_library}")

add_library(deps_fuse INTERFACE IMPORTED)
add_library(deps::fuse ALIAS deps_fuse)
target_include_directories(deps_fuse INTERFACE ${fuse_includes})
target_link_libraries(deps_fuse INTERFACE ${fuse_libraries})
# Which interface of libfuse our code speaks. Below 3.18 it does without passthrough and io_uring.
if(FOREBAY_FUSE_VERSION VERSION_GREATER_EQUAL 3.18)
  target_compile_definitions(deps_fuse INTERFACE FUSE_USE_VERSION=318)
else()
  message(WARNING "libfuse ${FOREBAY_FUSE_VERSION} has no passthrough and no io_uring; scripts/setup can build 3.18")
  target_compile_definitions(deps_fuse INTERFACE FUSE_USE_VERSION=314)
endif()
message(STATUS "libfuse ${FOREBAY_FUSE_VERSION}: ${fuse_library}")
