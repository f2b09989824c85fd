// The programs under test. CMake names them to the tests that drive a mount; the unit tests, which are linked with the
// same support code, have none to run.
#pragma once

#ifndef FOREBAY_BINARY
#define FOREBAY_BINARY ""
#define FOREBAY_FAULTY_BINARY ""
#define FOREBAY_WALK_BINARY ""
#define FOREBAY_LOAD_BINARY ""
#define FOREBAY_SLOWFS_BINARY ""
#endif
