#include "cli/cluster/pdsh.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>

#include "core/io.h"
#include "core/unique_fd.h"

namespace forebay::cli {
namespace {

// Its stdin becomes the file, which is gone before the program begins.
constexpr char kWithInput[] = R"(exec <"$1" && rm -f -- "$1" && shift && exec "$@")";

// pdsh has a default way to the nodes, which a site may set; in Debian it is rsh, of which nobody has a server any
// more.
bool has_own_way() { return std::getenv("PDSH_RCMD_TYPE") != nullptr || ::access("/etc/pdsh/rcmd_default", F_OK) == 0; }

// "NAME=VALUE" for env(1). What the caller has there stays, and counts first.
std::string ssh_arguments() {
  constexpr char kName[] = "PDSH_SSH_ARGS_APPEND";
  const char* const callers = std::getenv(kName);
  std::string setting = fmt::format("{}={}", kName, callers == nullptr ? "" : callers);
  for (const std::string_view option : kSshSettings) setting += fmt::format(" -o {}", option);
  return setting;
}

std::vector<std::string> pdsh_words(const char* program, std::vector<std::string> more) {
  std::vector<std::string> words = {"env", ssh_arguments(), program};
  if (!has_own_way()) words.insert(words.end(), {"-R", "ssh"});
  words.insert(words.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  return words;
}

// A file here that holds `content`; removed at the end.
class InputFile {
 public:
  explicit InputFile(const std::string& content) {
    const UniqueFd file(::mkostemp(path_.data(), O_CLOEXEC));
    ok_ = file && pwrite_full(file.get(), content.data(), content.size(), 0);
    made_ = static_cast<bool>(file);
  }
  ~InputFile() {
    if (made_) ::unlink(path_.c_str());
  }
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  bool ok() const { return ok_; }
  const std::string& path() const { return path_; }
  // Another name there: the node may be this machine.
  std::string path_there() const { return path_ + ".in"; }

 private:
  std::string path_ = "/tmp/.forebay-XXXXXX";
  bool made_ = false;
  bool ok_ = false;
};

}  // namespace

Invocation PdshLauncher::wrap(const NodeCommand& command) const {
  // pdsh takes %h, %u and %n for its own; "%%" is the sign itself.
  std::string line;
  for (const char c : shell_line(command.words)) line += c == '%' ? std::string("%%") : std::string(1, c);
  return {pdsh_words("pdsh", {"-S", "-N", "-w", command.host, line}), ""};
}

std::vector<Outcome> PdshLauncher::run(const std::vector<NodeCommand>& commands, const RunLimits& limits) const {
  std::vector<std::unique_ptr<InputFile>> files(commands.size());
  std::vector<Invocation> copies;
  std::vector<size_t> copied;
  std::vector<NodeCommand> rewritten = commands;
  for (size_t i = 0; i < commands.size(); ++i) {
    if (commands[i].input.empty()) continue;
    files[i] = std::make_unique<InputFile>(commands[i].input);
    copies.push_back(
        {pdsh_words("pdcp", {"-p", "-w", commands[i].host, files[i]->path(), files[i]->path_there()}), ""});
    copied.push_back(i);
    std::vector<std::string> words = {"sh", "-c", kWithInput, "sh", files[i]->path_there()};
    words.insert(words.end(), commands[i].words.begin(), commands[i].words.end());
    rewritten[i].words = std::move(words);
  }
  // pdcp does not tell by its exit status whether it worked; without the file the command itself fails, and says so.
  const std::vector<Outcome> sent = run_many(copies, limits);
  std::vector<Outcome> outcomes = Launcher::run(rewritten, limits);
  for (size_t i = 0; i < copied.size(); ++i) {
    if (!outcomes[copied[i]].ok()) outcomes[copied[i]].err = sent[i].err + outcomes[copied[i]].err;
  }
  return outcomes;
}

}  // namespace forebay::cli
