// Ctrl-C as a flag, so that a command stops between two steps and leaves the terminal in order.
#pragma once

namespace forebay::cli {

// From now on SIGINT, SIGTERM and SIGHUP set the flag and interrupt blocking calls; a second one ends the process.
void catch_interrupts();

// Back to the default.
void release_interrupts();

// Whether one came. Thread safe.
bool interrupted();

}  // namespace forebay::cli
