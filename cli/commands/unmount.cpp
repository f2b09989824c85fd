#include <poll.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <thread>

#include "cachefs/mount_table.h"
#include "cli/commands/commands.h"
#include "cli/control.h"
#include "cli/holders.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "core/units.h"

namespace forebay::cli {
namespace {

using namespace std::chrono_literals;
using cachefs::ControlAction;

constexpr auto kLongestWait = 1h;  // for the process to end, when all that it had to flush is flushed
constexpr auto kQuietWait = 2s;    // before a line tells what is waited for
constexpr size_t kMostHolders = 5;

struct UnmountOptions {
  std::string mountpoint;
  bool discard = false;
};

// What is known of a live mount before it is taken away.
struct Mount {
  std::string path;
  pid_t pid = 0;
  UniqueFd process;  // none when the process cannot be seen from here
  uint64_t dirty_bytes = 0;
  uint64_t dirty_files = 0;
};

Failure busy(const std::string& mountpoint) {
  const auto holders = find_holders(mountpoint, kMostHolders);
  if (holders.empty()) return fail(EBUSY, "{} stays mounted", mountpoint);
  return fail(EBUSY, "{} stays mounted: in use by {}", mountpoint, describe_holders(holders));
}

// Its process was killed: nothing can be asked, and nothing is lost.
int detach_dead(const std::string& mountpoint) {
  if (const Status detached = cachefs::detach_mount(mountpoint, true); !detached) return report(detached.error());
  print_error(
      fmt::format("{}: its process was gone already; it is unmounted now, and what was not flushed is kept in "
                  "the cache for the next mount",
                  mountpoint));
  return kExitFailure;
}

Result<Mount> look_at(const std::string& mountpoint) {
  ASSIGN_OR_RETURN(const auto facts, read_facts(mountpoint, cachefs::kXattrStatus));
  Mount mount{.path = mountpoint, .process = UniqueFd()};
  mount.pid = static_cast<pid_t>(fact_number(facts, "pid"));
  mount.dirty_bytes = fact_number(facts, "dirty_bytes");
  mount.dirty_files = fact_number(facts, "dirty_files");
  // Taken now, while the process certainly is this mount's: its number may be another's afterwards.
  if (mount.pid > 0) mount.process.reset(static_cast<int>(::syscall(SYS_pidfd_open, mount.pid, 0)));
  return mount;
}

// Everything goes outside while the tree is still there, so that what fails can be seen and mended.
Status flush_all(const Mount& mount) {
  ASSIGN_OR_RETURN(const UniqueFd root, open_for_control(mount.path));
  if (::syncfs(root.get()) != 0) return fail_errno("{} stays mounted", mount.path);
  Progress progress("unmount");
  uint64_t total = 0;
  bool only_conflicts = false;
  const Status flushed =
      run_control(root.get(), mount.path, ControlAction::kFlush, [&](const cachefs::ControlRequest& left) {
        total = std::max(total, left.remaining_bytes);
        only_conflicts = left.conflicts > 0 && left.failed_files == 0;
        progress.update(total - left.remaining_bytes, total, left.remaining_files);
        return !interrupted();
      });
  if (flushed) return {};
  if (flushed.error().code == EINTR) return fail(EINTR, "{} stays mounted", mount.path);
  if (only_conflicts) {  // settled, so nothing is left to do here; but it must be known
    print_error(error_text(flushed.error()));
    return {};
  }
  return fail(EINVAL, "{}; it stays mounted", error_text(flushed.error()));
}

// Whether it stays busy, as `is_busy` says. A look whether the mount is dead, which waits for a server of the cluster
// (cachefs::is_dead_mount), keeps it busy for a moment, and no program does then that one could end.
template <typename IsBusy>
bool stays_busy(const std::string& mountpoint, const IsBusy& is_busy) {
  constexpr std::chrono::milliseconds kPause{50};
  constexpr int kMostLooks = 40;
  for (int look = 0; look < kMostLooks; ++look) {
    if (!is_busy()) return false;
    if (!find_holders(mountpoint, 1).empty()) return true;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

// Whether umount(2) would find it busy. Only root can ask without doing it; asked twice, it would be done.
bool is_busy(const std::string& mountpoint) {
  return stays_busy(mountpoint,
                    [&] { return ::umount2(mountpoint.c_str(), MNT_EXPIRE | UMOUNT_NOFOLLOW) != 0 && errno == EBUSY; });
}

Status give_up_dirty_data(const Mount& mount) {
  if (is_busy(mount.path)) return busy(mount.path);
  ASSIGN_OR_RETURN(const UniqueFd root, open_for_control(mount.path));
  return send_control(root.get(), mount.path, ControlAction::kStop, cachefs::kControlDiscard);
}

Status take_away(const Mount& mount, bool discard) {
  Status detached;
  (void)stays_busy(mount.path, [&] {
    detached = cachefs::detach_mount(mount.path, false);
    return !detached && detached.error().code == EBUSY;
  });
  if (detached) return {};
  // It stays, so its data shall be flushed again.
  if (const auto root = open_for_control(mount.path); discard && root) {
    RETURN_IF_ERROR(send_control(root->get(), mount.path, ControlAction::kStop, 0));
  }
  if (detached.error().code == EBUSY) return busy(mount.path);
  return detached;
}

// When the process has ended, all is on disk.
Status wait_for_end(const Mount& mount) {
  if (!mount.process) return {};
  pollfd waited{mount.process.get(), POLLIN, 0};
  const auto begin = std::chrono::steady_clock::now();
  bool told = false;
  for (;;) {
    const auto passed = std::chrono::steady_clock::now() - begin;
    if (passed >= kLongestWait) {
      return fail(ETIMEDOUT, "{} is unmounted, but its process {} has not ended", mount.path, mount.pid);
    }
    const auto left = (told ? kLongestWait : kQuietWait) - passed;
    const auto ms = std::max<int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(left).count());
    const int ready = ::poll(&waited, 1, static_cast<int>(ms));
    if (ready > 0) return {};
    if (interrupted()) return fail(EINTR, "{} is unmounted; process {} still brings data out", mount.path, mount.pid);
    if (!told && ready == 0) {
      print_error(fmt::format("{} is unmounted; waiting for process {} to finish", mount.path, mount.pid));
      told = true;
    }
  }
}

Status unmount(const std::string& mountpoint, bool discard) {
  ASSIGN_OR_RETURN(const Mount mount, look_at(mountpoint));
  RETURN_IF_ERROR(discard ? give_up_dirty_data(mount) : flush_all(mount));
  RETURN_IF_ERROR(take_away(mount, discard));
  if (discard) {
    fmt::print("discarded {} of {} file{}\n", format_bytes(mount.dirty_bytes), mount.dirty_files,
               mount.dirty_files == 1 ? "" : "s");
  }
  return wait_for_end(mount);
}

int run_unmount(const UnmountOptions& options) {
  const auto mountpoint = cachefs::resolve_path(options.mountpoint);
  if (!mountpoint) return report(mountpoint.error());
  const auto table = cachefs::read_mount_table();
  if (!table) return report(table.error());
  const auto entry = cachefs::find_mount_at(*table, *mountpoint);
  if (!entry || entry->type != cachefs::kMountType) {
    return report(Error{EINVAL, fmt::format("{}: not a forebay mount", options.mountpoint)});
  }
  if (cachefs::is_dead_mount(*mountpoint)) return detach_dead(*mountpoint);
  catch_interrupts();
  const Status status = unmount(*mountpoint, options.discard);
  release_interrupts();
  if (status) return 0;
  report(status.error());
  return interrupted() ? kExitInterrupted : kExitFailure;
}

}  // namespace

void add_unmount(CLI::App& app, Action& action) {
  const auto options = std::make_shared<UnmountOptions>();
  CLI::App* const command = app.add_subcommand("unmount", "Flush everything, then end a mount")->group("Commands");
  command->add_option("MOUNTPOINT", options->mountpoint, "the mount")->type_name("")->required();
  command->add_flag("--discard", options->discard,
                    "give up what was not flushed yet: the external files stay as they are");
  command->footer(
      "Example:\n  forebay unmount /fast\n\n"
      "Exit status 0 means that all data is outside and the mount is gone. If something could not be flushed, the "
      "mount\n"
      "stays and the reason is printed; if it is in use, by whom. A file that was changed on both sides is settled, "
      "and\n"
      "named. The cache stays for the next mount.");
  command->callback([&action, options] { action = [options] { return run_unmount(*options); }; });
}

}  // namespace forebay::cli
