#include "options.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "op.h"

namespace forebay::walk {
namespace {

const std::map<std::string, bool Features::*>& feature_table() {
  static const std::map<std::string, bool Features::*> table = {
      {"o_direct", &Features::o_direct},     {"o_tmpfile", &Features::o_tmpfile},
      {"o_sync", &Features::o_sync},         {"o_append", &Features::o_append},
      {"other_user", &Features::other_user}, {"deep_path", &Features::deep_path},
      {"long_name", &Features::long_name},   {"negative_time", &Features::negative_time},
      {"device", &Features::device},         {"suid", &Features::suid},
      {"shared", &Features::shared},         {"verify", &Features::verify},
      {"big_xattr", &Features::big_xattr},   {"long_link", &Features::long_link},
      {"idle_chown", &Features::idle_chown},
  };
  return table;
}

uint64_t to_number(const std::string& option, const std::string& text) {
  uint64_t value = 0;
  if (text.empty()) throw std::invalid_argument(option + ": a number is needed");
  for (char c : text) {
    if (c < '0' || c > '9') throw std::invalid_argument(fmt::format("{}: '{}' is not a number", option, text));
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value))
      throw std::invalid_argument(fmt::format("{}: '{}' is too large", option, text));
  }
  return value;
}

void leave_out(Options& options, const std::string& name) {
  if (options.features.disable(name)) return;
  if (find_op_type(name) == nullptr) throw std::invalid_argument(fmt::format("--no-op: no operation '{}'", name));
  options.no_ops.insert(name);
}

void allow_only(Options& options, const std::string& name) {
  if (find_op_type(name) == nullptr) throw std::invalid_argument(fmt::format("--only-op: no operation '{}'", name));
  options.only_ops.insert(name);
}

using Setter = std::function<void(Options&, const std::string&)>;

// Options followed by a value.
const std::map<std::string, Setter>& value_options() {
  static const std::map<std::string, Setter> table = {
      {"--subject", [](Options& o, const std::string& v) { o.subject = v; }},
      {"--model", [](Options& o, const std::string& v) { o.model = v; }},
      {"--final-compare", [](Options& o, const std::string& v) { o.final_compare = v; }},
      {"--log", [](Options& o, const std::string& v) { o.log = v; }},
      {"--state", [](Options& o, const std::string& v) { o.state = v; }},
      {"--resume", [](Options& o, const std::string& v) { o.resume = v; }},
      {"--ignore", [](Options& o, const std::string& v) { o.ignored_names.insert(v); }},
      {"--no-op", leave_out},
      {"--only-op", allow_only},
      {"--steps", [](Options& o, const std::string& v) { o.steps = to_number("--steps", v); }},
      {"--threads", [](Options& o, const std::string& v) { o.threads = static_cast<int>(to_number("--threads", v)); }},
      {"--check-every", [](Options& o, const std::string& v) { o.check_every = to_number("--check-every", v); }},
      {"--max-file-bytes",
       [](Options& o, const std::string& v) {
         o.max_file_bytes = static_cast<int64_t>(to_number("--max-file-bytes", v));
       }},
      {"--mtime-slack",
       [](Options& o, const std::string& v) { o.mtime_slack = static_cast<int64_t>(to_number("--mtime-slack", v)); }},
      {"--as-user",
       [](Options& o, const std::string& v) { o.as_user = static_cast<uid_t>(to_number("--as-user", v)); }},
      {"--seed",
       [](Options& o, const std::string& v) {
         o.seed = to_number("--seed", v);
         o.seed_given = true;
       }},
  };
  return table;
}

const std::map<std::string, std::function<void(Options&)>>& flag_options() {
  static const std::map<std::string, std::function<void(Options&)>> table = {
      {"--no-dir-nlink", [](Options& o) { o.dir_nlink = false; }},
      {"--no-mtime", [](Options& o) { o.mtime = false; }},
      {"--no-dir-mtime", [](Options& o) { o.dir_mtime = false; }},
      {"--foreign", [](Options& o) { o.dir_mtime = o.features.big_xattr = o.features.long_link = false; }},
      {"--mtime", [](Options& o) { o.exact_mtime = true; }},
      {"--strict-holes", [](Options& o) { o.strict_holes = true; }},
      {"--allow-unsupported", [](Options& o) { o.allow_unsupported = true; }},
      {"--tolerate-death", [](Options& o) { o.tolerate_death = true; }},
      {"--verbose", [](Options& o) { o.verbose = true; }},
      {"--help", [](Options& o) { o.mode = Options::Mode::kHelp; }},
  };
  return table;
}

void check(const Options& options) {
  if (options.mode == Options::Mode::kHelp) return;
  if (options.model.empty()) throw std::invalid_argument("--model DIR is missing");
  if (options.mode == Options::Mode::kCompare) return;
  if (options.subject.empty()) throw std::invalid_argument("--subject DIR is missing");
  if (options.threads < 1 || options.threads > 99) throw std::invalid_argument("--threads: 1 to 99");
  if (options.check_every == 0) throw std::invalid_argument("--check-every: at least 1");
  if (options.max_file_bytes < (1 << 20)) throw std::invalid_argument("--max-file-bytes: at least 1048576");
  if (options.tolerate_death && options.state.empty())
    throw std::invalid_argument("--tolerate-death needs --state FILE to write to");
}

}  // namespace

bool Features::disable(const std::string& name) {
  auto found = feature_table().find(name);
  if (found == feature_table().end()) return false;
  this->*(found->second) = false;
  return true;
}

std::string Features::names() {
  std::string names;
  for (const auto& [name, member] : feature_table()) names += " " + name;
  return names;
}

std::string Options::repeat_command() const {
  std::string command = "forebay_walk";
  for (const auto& word : words) command += " " + word;
  if (!seed_given) command += fmt::format(" --seed {}", seed);
  return command;
}

Options parse_options(int argc, char** argv) {
  Options options;
  options.words.assign(argv + 1, argv + argc);
  for (size_t i = 0; i < options.words.size(); ++i) {
    const std::string word = options.words[i];
    auto value = [&]() -> const std::string& {
      if (i + 1 >= options.words.size()) throw std::invalid_argument(word + ": a value is missing");
      return options.words[++i];
    };
    if (word == "--compare") {
      options.mode = Options::Mode::kCompare;
      options.model = value();
      options.final_compare = value();
    } else if (auto flag = flag_options().find(word); flag != flag_options().end()) {
      flag->second(options);
    } else if (auto with_value = value_options().find(word); with_value != value_options().end()) {
      with_value->second(options, value());
    } else {
      throw std::invalid_argument("unknown option " + word);
    }
  }
  // The model against the external directory, without a walk.
  if (options.subject.empty() && !options.final_compare.empty() && options.mode == Options::Mode::kWalk)
    options.mode = Options::Mode::kCompare;
  if (options.state.empty()) options.state = options.resume;
  check(options);
  return options;
}

std::string usage() {
  std::string text =
      "usage: forebay_walk --subject DIR --model DIR [option]...   walk both directories, they must always agree\n"
      "       forebay_walk --compare DIR1 DIR2 [--mtime]           compare two trees\n"
      "\n"
      "  --steps N            operations per run, shared evenly between the threads (100000)\n"
      "  --threads T          threads, each in its own subtree tNN, all in the subtree 'shared' (1)\n"
      "  --seed S             repeat a walk (default: fresh, printed)\n"
      "  --max-file-bytes N   no file grows larger (32 MiB)\n"
      "  --check-every K      compare the whole subtree every K steps of a thread (2000)\n"
      "  --no-op NAME         leave out an operation or a feature; --only-op NAME: nothing but the named operations\n"
      "  --as-user UID        become this user and group first\n"
      "  --no-dir-nlink, --no-mtime, --no-dir-mtime, --mtime-slack SECONDS, --strict-holes   what is compared\n"
      "  --allow-unsupported  leave out O_TMPFILE and O_DIRECT if one side does not have them\n"
      "  --foreign            the sides lie on file systems of different kinds: leave out what these differ in\n"
      "  --ignore NAME        a top-level name that --compare leaves out\n"
      "  --mtime              with --compare: modification times of regular files must be exactly equal\n"
      "  --final-compare DIR  compare the model with DIR too, at the end (without --subject: only that)\n"
      "  --tolerate-death --state FILE   stop with exit status 3 when the subject's daemon dies; write FILE\n"
      "  --resume FILE        settle what was under way at that death, compare everything, walk on\n"
      "  --log FILE           every operation with its result; --verbose: progress\n"
      "\n"
      "exit status: 0 all agreed, 1 a disagreement, 2 usage or set-up, 3 the daemon died (--tolerate-death)\n"
      "\noperations:";
  size_t column = 11;
  for (const auto* type : op_types()) {
    const std::string name = type->name;
    column += name.size() + 1;
    if (column > 110) {
      text += "\n ";
      column = name.size() + 2;
    }
    text += " " + name;
  }
  return text + "\nfeatures:" + Features::names() + "\n";
}

}  // namespace forebay::walk
