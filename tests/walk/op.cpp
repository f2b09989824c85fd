#include "op.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <charconv>
#include <sstream>
#include <stdexcept>
#include <type_traits>

#include "text.h"

namespace forebay::walk {
namespace {

std::vector<const OpType*> join_tables() {
  std::vector<const OpType*> types;
  for (const auto* table :
       {&open_ops(), &data_ops(), &copy_ops(), &space_ops(), &seek_ops(), &map_ops(), &namespace_ops(), &node_ops(),
        &attribute_ops(), &xattr_ops(), &acl_ops(), &directory_ops(), &lock_ops(), &shared_ops()})
    for (const auto& type : *table) types.push_back(&type);
  return types;
}

std::string open_flags(int64_t flags) {
  static constexpr std::pair<int64_t, const char*> kNames[] = {
      {O_CREAT, "O_CREAT"},     {O_EXCL, "O_EXCL"},           {O_TRUNC, "O_TRUNC"},       {O_APPEND, "O_APPEND"},
      {O_TMPFILE, "O_TMPFILE"}, {O_DIRECTORY, "O_DIRECTORY"}, {O_NOFOLLOW, "O_NOFOLLOW"}, {O_DIRECT, "O_DIRECT"},
      {O_SYNC, "O_SYNC"},       {O_DSYNC, "O_DSYNC"},         {O_PATH, "O_PATH"},         {O_NONBLOCK, "O_NONBLOCK"},
      {O_CLOEXEC, "O_CLOEXEC"},
  };
  std::string text = (flags & O_ACCMODE) == O_RDONLY   ? "O_RDONLY"
                     : (flags & O_ACCMODE) == O_WRONLY ? "O_WRONLY"
                                                       : "O_RDWR";
  flags &= ~int64_t{O_ACCMODE};
  for (const auto& [bits, name] : kNames) {
    if ((flags & bits) != bits) continue;
    if (bits != O_NONBLOCK && bits != O_CLOEXEC) text += std::string("|") + name;
    flags &= ~bits;
  }
  return text;
}

template <typename Number>
void parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument(fmt::format("state file: '{}' is not a number", text));
}

}  // namespace

const std::vector<const OpType*>& op_types() {
  static const std::vector<const OpType*> types = join_tables();
  return types;
}

const OpType* find_op_type(std::string_view name) {
  for (const auto* type : op_types())
    if (name == type->name) return type;
  return nullptr;
}

std::string describe(const Op& op) {
  static const Op plain;
  std::string text = op.type->name;
  std::vector<std::string> defaults;
  visit_fields(plain, [&](const char*, const auto& value) { defaults.push_back(fmt::format("{}", value)); });
  size_t index = 0;
  visit_fields(op, [&](std::string_view name, const auto& value) {
    if (fmt::format("{}", value) == defaults[index++]) return;
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>)
      text += fmt::format(" {}={}", name, printable(value));
    else if (name == "mode")
      text += fmt::format(" mode={:#o}", value);
    else if (name == "flags" && (text.starts_with("open ") || text.starts_with("tmpfile ")))
      text += fmt::format(" flags={}", open_flags(static_cast<int64_t>(value)));
    else if (name == "base" || name == "base2")
      text += static_cast<int64_t>(value) == kSharedRoot ? fmt::format(" {}=shared", name)
                                                         : fmt::format(" {}={}", name, value);
    else
      text += fmt::format(" {}={}", name, value);
  });
  return text;
}

std::string serialize(const Op& op) {
  std::string line = fmt::format("{} step={}", op.type->name, op.step);
  visit_fields(op, [&](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>)
      line += fmt::format(" {}={}", name, to_hex(value));
    else
      line += fmt::format(" {}={}", name, value);
  });
  return line;
}

Op deserialize(std::string_view line) {
  std::istringstream words{std::string(line)};
  std::string word;
  words >> word;
  Op op;
  op.type = find_op_type(word);
  if (op.type == nullptr) throw std::invalid_argument("state file: no operation " + word);
  while (words >> word) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) throw std::invalid_argument("state file: not understood: " + word);
    const std::string name = word.substr(0, equals);
    const std::string text = word.substr(equals + 1);
    if (name == "step") parse_number(text, op.step);
    visit_fields(op, [&](const char* field, auto& value) {
      if (name != field) return;
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>)
        value = from_hex(text);
      else
        parse_number(text, value);
    });
  }
  return op;
}

}  // namespace forebay::walk
