# The messages of the protocol: each .proto below core/ becomes core/.../NAME.pb.h and .pb.cc in the build tree.

set(proto_root "${CMAKE_BINARY_DIR}/generated")
file(MAKE_DIRECTORY "${proto_root}")
file(GLOB_RECURSE protos CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/core/*.proto")
set(proto_sources)
foreach(proto IN LISTS protos)
  file(RELATIVE_PATH name "${CMAKE_SOURCE_DIR}" "${proto}")
  string(REGEX REPLACE "\\.proto$" ".pb" name "${name}")
  # Any of them may import any other; they are few.
  add_custom_command(
    OUTPUT "${proto_root}/${name}.cc" "${proto_root}/${name}.h"
    COMMAND protobuf::protoc "--cpp_out=${proto_root}" "--proto_path=${CMAKE_SOURCE_DIR}" "${proto}"
    DEPENDS ${protos} protobuf::protoc
    COMMENT "Generating ${name}.cc"
    VERBATIM)
  list(APPEND proto_sources "${proto_root}/${name}.cc")
endforeach()

# Not our code: our warnings do not judge it, and its names may clash within a unity build.
add_library(forebay_proto STATIC ${proto_sources})
target_include_directories(forebay_proto SYSTEM PUBLIC "${proto_root}")
target_link_libraries(forebay_proto PUBLIC protobuf::libprotobuf)
target_compile_options(forebay_proto PRIVATE -w)
if(FOREBAY_SANITIZE MATCHES fuzzer)
  # A sixth of the compile time would go into checks of what protoc wrote. Coverage stays.
  target_compile_options(forebay_proto PRIVATE -fno-sanitize=address,undefined)
endif()
set_target_properties(forebay_proto PROPERTIES UNITY_BUILD OFF)
