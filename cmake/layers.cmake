# One library for each top-level folder, and the directions in which they may know each other.

set(FOREBAY_MAY_USE_core)
set(FOREBAY_MAY_USE_evictor core)
set(FOREBAY_MAY_USE_consistency core)
set(FOREBAY_MAY_USE_storage consistency evictor core)
set(FOREBAY_MAY_USE_meta consistency evictor core)
set(FOREBAY_MAY_USE_mgmt consistency evictor core)
set(FOREBAY_MAY_USE_cachefs mgmt meta storage consistency evictor core)
set(FOREBAY_MAY_USE_cli cachefs mgmt meta storage consistency evictor core)

# A header can be included only by those who link its library: each library exports a directory that holds nothing but
# a link to its own folder, so that "meta/store.h" resolves nowhere else. The source tree itself is on no include path.
function(forebay_include_root result folder)
  set(root "${CMAKE_BINARY_DIR}/include/forebay_${folder}")
  file(MAKE_DIRECTORY "${root}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${folder}" "${root}/${folder}" SYMBOLIC)
  set(${result} "${root}" PARENT_SCOPE)
endfunction()

# What nearly every file includes, parsed once: a quarter less compile time, and half of an incremental build. It defines
# no macros and sees no header of ours, so one serves all libraries. The preset debug does without: there every
# file has to include what it uses.
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/pch.cpp" CONTENT "")
add_library(forebay_pch OBJECT "${CMAKE_BINARY_DIR}/pch.cpp")
target_link_libraries(forebay_pch PRIVATE Threads::Threads spdlog::spdlog fmt::fmt tl::expected)
target_precompile_headers(forebay_pch PRIVATE "${CMAKE_SOURCE_DIR}/cmake/pch.h")

# forebay_library(FOLDER [DEPENDS FOLDER...] [PUBLIC TARGET...] [PRIVATE TARGET...] [EXCLUDE FILE_OR_FOLDER...])
# makes forebay_FOLDER of all sources below FOLDER, linked to the other folders it depends on.
function(forebay_library folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "DEPENDS;PUBLIC;PRIVATE;EXCLUDE")
  if(NOT DEFINED FOREBAY_MAY_USE_${folder} AND NOT folder STREQUAL "core")
    message(FATAL_ERROR "${folder} is not in the table of cmake/layers.cmake")
  endif()
  foreach(other IN LISTS arg_DEPENDS)
    if(NOT other IN_LIST FOREBAY_MAY_USE_${folder})
      message(FATAL_ERROR "${folder} may not depend on ${other}: the arrow would point up or sideways "
                          "(cmake/layers.cmake); ${folder} may use: ${FOREBAY_MAY_USE_${folder}}")
    endif()
  endforeach()

  set(name forebay_${folder})
  set(directory "${CMAKE_SOURCE_DIR}/${folder}")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${directory}/*.cpp")
  file(GLOB_RECURSE all CONFIGURE_DEPENDS "${directory}/*.cpp" "${directory}/*.h")
  foreach(excluded IN LISTS arg_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "^${directory}/${excluded}($|/)")
  endforeach()

  foreach(file IN LISTS all)
    file(STRINGS "${file}" escapes REGEX "^[ \t]*#[ \t]*include[ \t]*\"[^\"]*\\.\\./")
    if(escapes)
      message(FATAL_ERROR "${file}: ${escapes} leaves the include path; write the path from the root of the source tree")
    endif()
  endforeach()

  list(TRANSFORM arg_DEPENDS PREPEND forebay_)
  forebay_include_root(root ${folder})
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC "${root}")
    target_link_libraries(${name} PUBLIC ${arg_DEPENDS} ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    target_compile_options(${name} PRIVATE "-fmacro-prefix-map=${root}/=")
    target_precompile_headers(${name} REUSE_FROM forebay_pch)
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE "${root}")
    target_link_libraries(${name} INTERFACE ${arg_DEPENDS} ${arg_PUBLIC})
  endif()
endfunction()

# The two answers to "is this safety taken out?". Objects, not archives: they are linked whatever the order of libraries.
foreach(kind IN ITEMS none env)
  if(EXISTS "${CMAKE_SOURCE_DIR}/core/fault/${kind}.cpp")
    forebay_include_root(core_root core)
    add_library(forebay_fault_${kind} OBJECT "${CMAKE_SOURCE_DIR}/core/fault/${kind}.cpp")
    target_include_directories(forebay_fault_${kind} PRIVATE "${core_root}")
  else()
    add_library(forebay_fault_${kind} INTERFACE)
  endif()
endforeach()

# forebay_executable(NAME FAULTS none|env) makes the program from cli/main.cpp.
function(forebay_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "FAULTS" "")
  file(GLOB main CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/cli/main.cpp")
  if(main)
    add_executable(${name} ${main})
    target_link_libraries(${name} PRIVATE forebay_cli forebay_fault_${arg_FAULTS})
  endif()
endfunction()
