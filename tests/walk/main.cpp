// forebay_walk: a seeded random walk of file system calls on two directories that must always agree.
#include <fmt/format.h>
#include <sys/stat.h>

#include <csignal>
#include <exception>
#include <random>
#include <stdexcept>

#include "bus_guard.h"
#include "options.h"
#include "session.h"

namespace {

using namespace forebay::walk;

int run(Options options) {
  if (options.mode == Options::Mode::kHelp) {
    fmt::print("{}", usage());
    return kExitAgreed;
  }
  if (options.mode == Options::Mode::kCompare) return compare_trees(options, options.model, options.final_compare);
  if (!options.seed_given) {
    std::random_device device;
    options.seed = (uint64_t{device()} << 32) | device();
  }
  ::umask(022);
  ::signal(SIGPIPE, SIG_IGN);
  install_bus_guard();
  return run_session(std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse_options(argc, argv));
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "forebay_walk: {}\n(forebay_walk --help tells more)\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "forebay_walk: {}\n", error.what());
  }
  return kExitUsage;
}
