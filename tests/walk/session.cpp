#include "session.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "death.h"
#include "resume.h"
#include "shared_area.h"
#include "state_file.h"
#include "text.h"

namespace forebay::walk {
namespace {

using Walkers = std::vector<std::unique_ptr<Walker>>;

bool opens(const std::string& root, const char* path, int flags) {
  const UniqueFd base = open_directory(AT_FDCWD, root);
  const UniqueFd fd(::openat(base.get(), path, flags | O_CLOEXEC, 0600));
  return static_cast<bool>(fd);
}

// What one of the sides cannot do at all is left out, if that was asked for.
void probe(Options& options) {
  struct statvfs status;
  options.subject_nodev = ::statvfs(options.subject.c_str(), &status) == 0 && (status.f_flag & ST_NODEV) != 0;
  options.privileged = ::geteuid() == 0;
  if (!options.allow_unsupported) return;
  for (const auto& root : {options.subject, options.model}) {
    if (!opens(root, ".", O_TMPFILE | O_RDWR)) options.features.o_tmpfile = false;
    if (!opens(root, "shared/stripes", O_RDONLY | O_DIRECT)) options.features.o_direct = false;
  }
  if (!options.features.o_tmpfile) fmt::print("O_TMPFILE is not supported: left out\n");
  if (!options.features.o_direct) fmt::print("O_DIRECT is not supported: left out\n");
}

void run_threads(Walkers& walkers, Control& control) {
  std::vector<std::thread> threads;
  for (auto& walker : walkers) {
    threads.emplace_back([&walker = *walker, &control] {
      try {
        walker.run();
      } catch (const std::exception& error) {
        control.fail(fmt::format("thread {} step {}: {}", walker.thread(), walker.steps_done(), error.what()));
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

void report(const std::vector<std::string>& differences, const std::string& when, const Options& options) {
  fmt::print("\nDISAGREEMENT {}\n", when);
  for (const auto& difference : differences) fmt::print("  {}\n", difference);
  fmt::print("repeat: {}\n", options.repeat_command());
}

// With all handles closed: everything again, now including what the threads share.
int compare_at_end(Walkers& walkers, const Options& options) {
  for (auto& walker : walkers) walker->close_all();
  for (auto& walker : walkers) {
    bool alive = true;
    const auto differences = walker->compare_all(alive);
    if (!alive) return kExitDied;
    if (differences.empty()) continue;
    report(differences, fmt::format("at the end, thread {}", walker->thread()), options);
    return kExitDisagreed;
  }
  bool alive = true;
  const auto differences = walkers.front()->compare_shared(alive);
  if (!alive) return kExitDied;
  if (!differences.empty()) report(differences, "at the end, in the shared files", options);
  return differences.empty() ? kExitAgreed : kExitDisagreed;
}

uint64_t total_steps(const Walkers& walkers) {
  uint64_t total = 0;
  for (const auto& walker : walkers) total += walker->steps_done();
  return total;
}

int finish(Walkers& walkers, const Control& control, const Options& options, double seconds) {
  const uint64_t steps = total_steps(walkers);
  if (control.failed()) return kExitDisagreed;
  const int result = control.died() ? kExitDied : compare_at_end(walkers, options);
  if (result == kExitDied) {
    write_state(collect_state(walkers), options);
    fmt::print("the subject's daemon died after {} steps; state in {}\n", steps, options.state);
  }
  if (result != kExitAgreed) return result;
  fmt::print("agreed: {} steps, {} threads, {:.1f} s, {:.0f} steps/s, seed {}\n", steps, options.threads, seconds,
             static_cast<double>(steps) / std::max(seconds, 0.001), options.seed);
  if (options.final_compare.empty()) return kExitAgreed;
  walkers.clear();
  return compare_trees(options, options.model, options.final_compare);
}

// The daemon may die again before anything was done: then the old state is still the right one.
bool is_early_death(const std::system_error& error, const Options& options) {
  const int code = error.code().value();
  return options.tolerate_death && !options.resume.empty() &&
         (code == ENOTCONN || code == ECONNABORTED || code == ECANCELED || code == EIO);
}

Walkers make_walkers(const Options& options, Control& control) {
  Walkers walkers;
  for (int thread = 0; thread < options.threads; ++thread)
    walkers.push_back(std::make_unique<Walker>(options, thread, control));
  return walkers;
}

int run_session(Options options, SavedWalk saved) {
  fmt::print("seed {}\nrepeat: {}\n", options.seed, options.repeat_command());
  std::fflush(stdout);
  if (options.as_user != 0 && (::setgid(options.as_user) != 0 || ::setuid(options.as_user) != 0))
    throw std::runtime_error("--as-user: " + error_name(errno));
  if (options.resume.empty()) {
    make_areas(options.subject, options.threads);
    make_areas(options.model, options.threads);
  }
  probe(options);
  Control control(options.log);
  Walkers walkers = make_walkers(options, control);
  const auto start = std::chrono::steady_clock::now();
  if (!options.resume.empty()) {
    const Settled settled = settle_death(saved, walkers, options);
    if (settled == Settled::kDied) write_state(saved, options);
    if (settled != Settled::kAll) return settled == Settled::kDied ? kExitDied : kExitDisagreed;
  }
  run_threads(walkers, control);
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  return finish(walkers, control, options, elapsed.count());
}

}  // namespace

int run_session(Options options) {
  SavedWalk saved;
  if (!options.resume.empty()) saved = load_state(options.resume, options);
  try {
    return run_session(options, std::move(saved));
  } catch (const std::system_error& error) {
    if (!is_early_death(error, options)) throw;
    fmt::print("the subject's daemon died at once: {}\n", error.what());
    return kExitDied;
  }
}

int compare_trees(const Options& options, const std::string& first, const std::string& second) {
  const UniqueFd one = open_directory(AT_FDCWD, first);
  const UniqueFd two = open_directory(AT_FDCWD, second);
  CompareRules rules{.stat = {.dir_nlink = options.dir_nlink,
                              .mtime = options.mtime,
                              .dir_mtime = options.dir_mtime,
                              .exact_mtime = options.exact_mtime,
                              .mtime_slack = options.mtime_slack,
                              .open_mtimes = nullptr,
                              .identity = nullptr},
                     .skip_common_holes = false,
                     .limit = 20,
                     .record_file = "/shared/append",
                     .wanted = [&](const std::string& name) { return !options.ignored_names.contains(name); }};
  // The messages speak of subject and model: the second directory is the one looked at, the first one is right.
  TreeCompare compare(rules);
  compare.compare_roots(two.get(), one.get(), "");
  for (const auto& difference : compare.differences()) fmt::print("{}\n", difference);
  fmt::print("{}: {} differences between {} (model) and {} (subject)\n", compare.count() == 0 ? "equal" : "DIFFERENT",
             compare.count(), first, second);
  return compare.count() == 0 ? kExitAgreed : kExitDisagreed;
}

}  // namespace forebay::walk
