// One operation of the walk, as plain data: planned once, carried out on both sides, printed, saved, repeated.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace forebay::walk {

class Planner;
class Side;
struct Op;
struct Outcome;

// Where a relative path starts; a number from 0 on is a slot of the handle table that holds a directory.
inline constexpr int kThreadRoot = -1;
inline constexpr int kSharedRoot = -2;

inline constexpr int64_t kPage = 4096;

struct Place {
  int base = kThreadRoot;
  std::string path;
};

// What a carried-out operation leaves behind: decides how it is settled if the daemon died under it.
enum class Effect {
  kNone,       // nothing that outlives the handles
  kNamespace,  // all or nothing
  kContent,    // bytes and size of the file in `slot` or at `place`: any mixture of old and new
};

// Which inode may be gone after it.
enum class Risk { kNone, kPlace, kPlace2, kSlot, kMap };

struct OpType {
  const char* name;
  int weight;
  Effect effect;
  Risk risk;
  // Chooses the arguments; false if there is nothing to do it on.
  bool (*plan)(Planner&, Op&);
  void (*execute)(Side&, const Op&, Outcome&);
  // Keeps the planner's books after both sides agreed; may be null.
  void (*settle)(Planner&, const Op&, const Outcome&) = nullptr;
};

struct Op {
  const OpType* type = nullptr;
  uint64_t step = 0;
  int slot = -1;
  int slot2 = -1;
  Place place;
  Place place2;
  int64_t offset = 0;
  int64_t offset2 = 0;
  int64_t length = 0;
  int64_t flags = 0;
  int64_t flags2 = 0;
  int64_t mode = 0;
  int64_t uid = 0;
  int64_t gid = 0;
  uint64_t key = 0;  // the content is made from it
  int64_t access_seconds = 0;
  int64_t access_nanoseconds = 0;
  int64_t modify_seconds = 0;
  int64_t modify_nanoseconds = 0;
  std::string name;
  std::string value;
  int user = 0;
  bool verify = false;          // stat the object afterwards
  bool check_position = false;  // ask for the file position afterwards
};

template <typename AnyOp, typename Visitor>
void visit_fields(AnyOp& op, Visitor&& visit) {
  visit("slot", op.slot);
  visit("slot2", op.slot2);
  visit("base", op.place.base);
  visit("path", op.place.path);
  visit("base2", op.place2.base);
  visit("path2", op.place2.path);
  visit("offset", op.offset);
  visit("offset2", op.offset2);
  visit("length", op.length);
  visit("flags", op.flags);
  visit("flags2", op.flags2);
  visit("mode", op.mode);
  visit("uid", op.uid);
  visit("gid", op.gid);
  visit("key", op.key);
  visit("atime", op.access_seconds);
  visit("atime_ns", op.access_nanoseconds);
  visit("mtime", op.modify_seconds);
  visit("mtime_ns", op.modify_nanoseconds);
  visit("name", op.name);
  visit("value", op.value);
  visit("user", op.user);
}

// All operations there are, in a fixed order.
const std::vector<const OpType*>& op_types();
const OpType* find_op_type(std::string_view name);

// The tables that op_types() joins, one per file ops_*.cpp.
using OpTable = std::vector<OpType>;
const OpTable& open_ops();
const OpTable& data_ops();
const OpTable& copy_ops();
const OpTable& space_ops();
const OpTable& seek_ops();
const OpTable& map_ops();
const OpTable& namespace_ops();
const OpTable& node_ops();
const OpTable& attribute_ops();
const OpTable& xattr_ops();
const OpTable& acl_ops();
const OpTable& directory_ops();
const OpTable& lock_ops();
const OpTable& shared_ops();

std::string describe(const Op& op);

// One line without spaces inside values, and back. Throws std::invalid_argument.
std::string serialize(const Op& op);
Op deserialize(std::string_view line);

}  // namespace forebay::walk
