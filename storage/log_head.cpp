#include "storage/log_head.h"

#include <sys/xattr.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace forebay::storage {
namespace {

constexpr char kAttribute[] = "user.fb";
// XFS and ext4 with larger inodes keep so much inside; more belongs into a file that is appended to.
constexpr size_t kMostBytes = 240;
constexpr size_t kMostStored = 4096;  // of any version of ours
constexpr int kCountBits = 4;
constexpr uint32_t kTypes = 1 << (8 - kCountBits);
static_assert(static_cast<uint32_t>(RecordType::kStripe) == kTypes && static_cast<int>(RecordType::kReset) == 1);

uint32_t checksum_of(std::string_view content) {
  constexpr XXH32_hash_t kSeed = 0x464f5245;
  return XXH32(content.data(), content.size(), kSeed);
}

void encode(const Record& record, std::string* content) {
  size_t count = std::size(record.value);
  while (count > 0 && record.value[count - 1] == 0) --count;
  content->push_back(static_cast<char>(record.type % kTypes << kCountBits | count));
  for (size_t i = 0; i < count; ++i) {
    const size_t start = content->size();
    content->push_back(0);
    for (uint64_t rest = record.value[i]; rest != 0; rest >>= 8) content->push_back(static_cast<char>(rest));
    (*content)[start] = static_cast<char>(content->size() - start - 1);
  }
}

// Takes the first record off `content`; false if there is none that this version knows.
bool decode(std::string_view* content, Record* record) {
  const auto next = [content] {
    const auto byte = static_cast<uint8_t>(content->front());
    content->remove_prefix(1);
    return byte;
  };
  const uint8_t start = next();
  *record = {};
  record->type = start >> kCountBits == 0 ? kTypes : start >> kCountBits;
  const size_t count = start & ((1 << kCountBits) - 1);
  if (!record->is_known() || count > std::size(record->value)) return false;
  for (size_t i = 0; i < count; ++i) {
    if (content->empty()) return false;
    const size_t length = next();
    if (length > sizeof(uint64_t) || length > content->size()) return false;
    for (size_t byte = 0; byte < length; ++byte) record->value[i] |= static_cast<uint64_t>(next()) << 8 * byte;
  }
  record->seal();
  return true;
}

}  // namespace

Status LogHead::read(int chunk_fd, const std::function<void(const Record&)>& replay) {
  char stored[kMostStored];
  const ssize_t bytes = ::fgetxattr(chunk_fd, kAttribute, stored, sizeof(stored));
  if (bytes < 0) {
    content_.clear();
    return errno == ENODATA || errno == EOPNOTSUPP ? Status{} : fail_errno("attribute {}", kAttribute);
  }
  uint32_t checksum = 0;
  if (static_cast<size_t>(bytes) < sizeof(checksum)) return fail(EIO, "attribute {}: damaged", kAttribute);
  std::memcpy(&checksum, stored, sizeof(checksum));
  std::string_view rest(stored + sizeof(checksum), static_cast<size_t>(bytes) - sizeof(checksum));
  if (checksum != checksum_of(rest)) return fail(EIO, "attribute {}: damaged", kAttribute);
  content_ = rest;
  for (Record record; !rest.empty(); replay(record)) {
    if (!decode(&rest, &record)) return fail(EIO, "attribute {}: written by a newer version", kAttribute);
  }
  return {};
}

bool LogHead::append(int chunk_fd, std::span<const Record> records) {
  std::string content = content_;
  for (const Record& record : records) encode(record, &content);
  return store(chunk_fd, std::move(content));
}

bool LogHead::replace(int chunk_fd, std::span<const Record> records) {
  std::string content;
  for (const Record& record : records) encode(record, &content);
  return store(chunk_fd, std::move(content));
}

bool LogHead::store(int chunk_fd, std::string content) {
  const uint32_t checksum = checksum_of(content);
  std::string value(reinterpret_cast<const char*>(&checksum), sizeof(checksum));
  value += content;
  if (value.size() > kMostBytes || ::fsetxattr(chunk_fd, kAttribute, value.data(), value.size(), 0) != 0) return false;
  content_ = std::move(content);
  return true;
}

}  // namespace forebay::storage
