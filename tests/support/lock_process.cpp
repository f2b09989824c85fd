#include "tests/support/lock_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace forebay::test {
namespace {

constexpr std::chrono::seconds kUsual{60};

struct flock lock_of(short type, off_t begin, off_t bytes) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = begin;
  lock.l_len = bytes;
  return lock;
}

int error_of(int result) { return result == 0 ? 0 : errno; }

}  // namespace

struct LockProcess::Order {
  enum What { kOpened, kRecord, kFlock, kReopen, kClose, kCountByFlock, kCountByRecord, kSignal } what = kOpened;
  int number = 0;  // a command, an operation, rounds, flags
  struct flock lock = {};
};
struct LockProcess::Reply {
  int error = 0;
  struct flock lock = {};
};

LockProcess::LockProcess(const std::string& path, int flags) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) throw std::runtime_error("socketpair");
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What others have open is theirs to close, and the end of their sockets is news to them.
    const auto mine = static_cast<unsigned>(ends[1]);
    if (mine > 3) ::close_range(3, mine - 1, 0);
    ::close_range(mine + 1, ~0U, 0);
    serve(ends[1], path, flags);
  }
  ::close(ends[1]);
  socket_ = ends[0];
  const int opened = ask({});
  if (opened != 0) throw std::runtime_error(fmt::format("open {}: errno {}", path, opened));
}

LockProcess::~LockProcess() {
  kill();
  ::close(socket_);
}

void LockProcess::serve(int from, const std::string& path, int flags) {
  int file = ::open(path.c_str(), flags | O_CLOEXEC);
  const int opened = file < 0 ? errno : 0;
  Order order;
  while (::recv(from, &order, sizeof(order), 0) == sizeof(order)) {
    Reply reply;
    if (order.what == Order::kClose) {
      reply.error = error_of(::close(file));
    } else {
      reply.error = order.what == Order::kOpened ? opened : obey(file, path, order);
    }
    reply.lock = order.lock;
    if (::send(from, &reply, sizeof(reply), MSG_NOSIGNAL) < 0) break;
  }
  ::_exit(0);
}

int LockProcess::obey(int file, const std::string& path, Order& order) {
  switch (order.what) {
    case Order::kRecord:
      return error_of(::fcntl(file, order.number, &order.lock));
    case Order::kFlock:
      return error_of(::flock(file, order.number));
    case Order::kReopen: {
      const int other = ::open(path.c_str(), O_RDONLY);
      return other < 0 ? errno : error_of(::close(other));
    }
    case Order::kSignal: {
      struct sigaction action = {};
      action.sa_handler = [](int) {};
      action.sa_flags = order.number;
      return error_of(::sigaction(SIGUSR1, &action, nullptr));
    }
    default:
      return count(file, order);
  }
}

int LockProcess::count(int file, const Order& order) {
  const auto set = [&](bool locked) {
    if (order.what == Order::kCountByFlock) return ::flock(file, locked ? LOCK_EX : LOCK_UN);
    struct flock lock = lock_of(locked ? F_WRLCK : F_UNLCK, 0, 0);
    return ::fcntl(file, F_SETLKW, &lock);
  };
  for (int round = 0; round < order.number; ++round) {
    if (set(true) != 0) return errno;
    uint64_t value = 0;
    if (::pread(file, &value, sizeof(value), 0) != sizeof(value)) return EIO;
    ++value;
    if (::pwrite(file, &value, sizeof(value), 0) != sizeof(value)) return EIO;
    if (set(false) != 0) return errno;
  }
  return 0;
}

void LockProcess::send(const Order& order) {
  if (::send(socket_, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order)) throw std::runtime_error("it is gone");
}

LockProcess::Reply LockProcess::await(std::chrono::milliseconds limit) {
  pollfd watched = {socket_, POLLIN, 0};
  if (::poll(&watched, 1, static_cast<int>(limit.count())) <= 0) throw std::runtime_error("it still waits");
  Reply reply;
  if (::recv(socket_, &reply, sizeof(reply), 0) != sizeof(reply)) throw std::runtime_error("it is gone");
  return reply;
}

int LockProcess::ask(const Order& order) {
  send(order);
  return await(kUsual).error;
}

int LockProcess::record(int command, short type, off_t begin, off_t bytes) {
  return ask({Order::kRecord, command, lock_of(type, begin, bytes)});
}
int LockProcess::flock(int operation) { return ask({Order::kFlock, operation, {}}); }
int LockProcess::open_and_close() { return ask({Order::kReopen, 0, {}}); }
int LockProcess::close() { return ask({Order::kClose, 0, {}}); }

struct flock LockProcess::test(short type, off_t begin, off_t bytes) {
  send({Order::kRecord, F_GETLK, lock_of(type, begin, bytes)});
  const Reply reply = await(kUsual);
  if (reply.error != 0) throw std::runtime_error(fmt::format("F_GETLK: errno {}", reply.error));
  return reply.lock;
}

void LockProcess::begin_record(int command, short type, off_t begin, off_t bytes) {
  send({Order::kRecord, command, lock_of(type, begin, bytes)});
}
void LockProcess::begin_flock(int operation) { send({Order::kFlock, operation, {}}); }
void LockProcess::begin_count(By by, int rounds) {
  send({by == By::kFlock ? Order::kCountByFlock : Order::kCountByRecord, rounds, {}});
}

void LockProcess::await_waiting() {
  const auto deadline = std::chrono::steady_clock::now() + kUsual;
  while (std::chrono::steady_clock::now() < deadline) {
    long call = -1;
    std::ifstream(fmt::format("/proc/{}/syscall", pid_)) >> call;
    if (call == SYS_fcntl || call == SYS_flock) return;
    if (is_done()) throw std::runtime_error("it does not wait");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  throw std::runtime_error("it never came to wait");
}

bool LockProcess::is_done() {
  pollfd watched = {socket_, POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

int LockProcess::result(std::chrono::milliseconds limit) { return await(limit).error; }

void LockProcess::handle_signal(Calls calls) {
  if (ask({Order::kSignal, calls == Calls::kGoOn ? SA_RESTART : 0, {}}) != 0) throw std::runtime_error("sigaction");
}

void LockProcess::signal(int number) const { ::kill(pid_, number); }

void LockProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace forebay::test
