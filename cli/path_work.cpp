#include "cli/path_work.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>

#include "cachefs/mount_table.h"
#include "cli/control.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/path_queue.h"
#include "cli/progress.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kWorkers = 8;
constexpr auto kLook = 100ms;

// One run of a command: a thread finds the paths, workers ask the mount, the caller's thread shows progress.
class PathRun {
 public:
  explicit PathRun(const PathCommand& command) : command_(command) {}

  int run(const std::vector<std::string>& paths) {
    catch_interrupts();
    std::vector<std::thread> threads;
    running_ = kWorkers + 1;
    threads.emplace_back([&] {
      for (const std::string& path : paths) find(path);
      queue_.finish();
      leave();
    });
    for (unsigned i = 0; i < kWorkers; ++i) {
      threads.emplace_back([this] {
        while (const auto item = queue_.pop()) work(*item);
        leave();
      });
    }
    watch();
    for (std::thread& thread : threads) thread.join();
    release_interrupts();
    if (interrupted()) return kExitInterrupted;
    return failed_ ? kExitFailure : 0;
  }

 private:
  // Queues what `path` stands for.
  void find(const std::string& path) {
    if (interrupted()) return;
    if (const auto mount = cachefs::find_mount_of(path); !mount) return fail_path(error_text(mount.error()));
    struct stat attributes {};
    const bool directory = ::lstat(path.c_str(), &attributes) == 0 && S_ISDIR(attributes.st_mode);
    if (directory && !command_.whole_directories) return walk(path);
    add({path, 0});
  }

  void walk(const std::string& top) {
    std::string name = top;
    char* const tops[] = {name.data(), nullptr};
    // No links followed, no other mounts entered, no change of directory: threads share it.
    const std::unique_ptr<FTS, decltype(&::fts_close)> tree(
        ::fts_open(tops, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr), &::fts_close);
    if (!tree) return fail_path(fmt::format("{}: {}", top, strerrordesc_np(errno)));
    while (const FTSENT* entry = ::fts_read(tree.get())) {
      if (interrupted()) return;
      if (entry->fts_info == FTS_F) {
        add({entry->fts_path, static_cast<uint64_t>(entry->fts_statp->st_size)});
      } else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS) {
        fail_path(fmt::format("{}: {}", entry->fts_path, strerrordesc_np(entry->fts_errno)));
      }
    }
  }

  void add(PathItem item) {
    total_ += item.size;
    ++files_;
    queue_.push(std::move(item));
  }

  void work(const PathItem& item) {
    // What this item has contributed to the sums so far.
    uint64_t bytes = item.size, moved = 0, files = 1;
    bool guessed = true;
    const auto count = [&](const cachefs::ControlRequest& left) {
      // The first answer replaces the guess; later ones show how much has gone, or that more has come.
      const uint64_t now = guessed ? left.remaining_bytes : std::max(bytes, moved + left.remaining_bytes);
      guessed = false;
      total_ += now - bytes;
      bytes = now;
      const uint64_t gone = bytes - std::min(bytes, left.remaining_bytes);
      done_ += gone - moved;
      moved = gone;
      files_ += left.remaining_files - files;
      files = left.remaining_files;
      return !interrupted();
    };
    const Status status = ask(item.path, count);
    files_ -= files;
    if (!status && status.error().code != EINTR) fail_path(error_text(status.error()));
  }

  Status ask(const std::string& path, const Watcher& watcher) {
    // Opening a file may begin to fetch it.
    if (command_.only_present && nothing_present(path)) return {};
    ASSIGN_OR_RETURN(const UniqueFd file, open_for_control(path));
    if (command_.settles) RETURN_IF_ERROR(settle(file.get(), path));
    for (const cachefs::ControlAction step : command_.steps) {
      RETURN_IF_ERROR(run_control(file.get(), path, step, watcher));
    }
    return {};
  }

  static bool nothing_present(const std::string& path) {
    const auto facts = read_facts_inside(path, cachefs::kXattrStat);
    return facts && fact_number(*facts, "present_bytes") == 0 && !fact_flag(*facts, "cached") &&
           !fact_flag(*facts, "dirty");
  }

  // Pages that were changed through a mapping are still the kernel's: what shall leave the cache must be in it first.
  static Status settle(int fd, const std::string& path) {
    struct stat attributes {};
    if (::fstat(fd, &attributes) != 0) return fail_errno("{}", path);
    constexpr unsigned kAll = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    const int done = S_ISDIR(attributes.st_mode) ? ::syncfs(fd) : ::sync_file_range(fd, 0, 0, kAll);
    if (done != 0) return fail_errno("{}", path);
    return {};
  }

  void watch() {
    Progress progress(command_.name);
    std::unique_lock lock(mutex_);
    for (;;) {
      finished_.wait_for(lock, kLook, [this] { return running_ == 0 || !failures_.empty(); });
      if (!failures_.empty()) progress.clear();
      for (const std::string& failure : failures_) print_error(failure);
      failures_.clear();
      if (running_ == 0) return;
      if (interrupted()) queue_.cancel();
      const uint64_t total = total_;
      progress.update(std::min<uint64_t>(done_, total), total, files_);
    }
  }

  void fail_path(std::string line) {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    failures_.push_back(std::move(line));
    finished_.notify_one();
  }

  void leave() {
    const std::lock_guard lock(mutex_);
    --running_;
    finished_.notify_one();
  }

  const PathCommand& command_;
  PathQueue queue_;
  // Sums of contributions; differences wrap around and come out right.
  std::atomic<uint64_t> total_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> files_{0};
  std::mutex mutex_;
  std::condition_variable finished_;
  std::deque<std::string> failures_;  // not yet printed
  unsigned running_ = 0;
  bool failed_ = false;
};

}  // namespace

int run_path_command(const PathCommand& command, const std::vector<std::string>& paths) {
  return PathRun(command).run(paths);
}

void add_path_command(CLI::App& app, Action& action, const PathCommand& command) {
  const auto paths = std::make_shared<std::vector<std::string>>();
  CLI::App* const sub = app.add_subcommand(command.name, command.description)->group("Commands");
  sub->add_option("PATH", *paths, "files, and directories with all that is below them")->type_name("")->required();
  sub->add_flag("-r,--recursive")->description("the same: a directory always means all that is below it");
  sub->footer(command.example);
  sub->callback([&action, paths, command] { action = [paths, command] { return run_path_command(command, *paths); }; });
}

}  // namespace forebay::cli
