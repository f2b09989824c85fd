#include "core/config.h"

#include <limits.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "core/config_keys.h"
#include "core/config_values.h"

namespace forebay {
namespace {

// Whether low >= high; nothing can be said of a percentage and a size of a capacity that is itself a percentage.
bool marks_crossed(const Config& config) {
  const Share &low = config.evict.low, &high = config.evict.high;
  if (low.fraction && high.fraction) return *low.fraction >= *high.fraction;
  if (!low.fraction && !high.fraction) return low.bytes >= high.bytes;
  if (config.cache.capacity.fraction) return false;
  return low.of(config.cache.capacity.bytes) >= high.of(config.cache.capacity.bytes);
}

}  // namespace

uint64_t Share::of(uint64_t total) const {
  if (!fraction) return std::min(bytes, total);
  const long double part = static_cast<long double>(*fraction) * static_cast<long double>(total);
  return std::min(static_cast<uint64_t>(std::max(part, 0.0L)), total);
}

std::string node_name_of(const Config& config) {
  if (config.cluster.name != "auto") return config.cluster.name;
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= list.size();) {
    const size_t comma = std::min(list.find(',', at), list.size());
    if (comma > at) parts.emplace_back(list.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

uint64_t passthrough_headroom_of(const Config& config, uint64_t capacity_bytes) {
  constexpr uint64_t kLeast = uint64_t{4} << 30;
  if (config.fuse.passthrough_headroom) return config.fuse.passthrough_headroom->of(capacity_bytes);
  return std::max(kLeast, capacity_bytes / 4);
}

Status set_config_key(Config& config, std::string_view key, std::string_view value) {
  const ConfigKey* row = find_config_key(key);
  if (row == nullptr) return Failure(Error{EINVAL, unknown_key_message(key)});
  const Status set = row->set(config, value);
  if (set) return {};
  const bool known_value = set.error().code == ENOTSUP;
  return fail(set.error().code, "{}{} {}", key, known_value ? " =" : ":", set.error().context);
}

Status check_config(const Config& config) {
  const uint64_t chunk = config.cache.chunk_size_bytes;
  if (chunk == 0 || (chunk & (chunk - 1)) != 0) {
    return fail(EINVAL, "cache.chunk_size: {} is not a power of two", size_text(chunk));
  }
  const Share& capacity = config.cache.capacity;
  if (!capacity.fraction && capacity.bytes / 4 < chunk) {
    return fail(EINVAL, "cache.capacity: {} is less than four chunks (cache.chunk_size is {})", share_text(capacity),
                size_text(chunk));
  }
  if (marks_crossed(config)) {
    return fail(EINVAL, "evict.low: {} is not below evict.high, {}", share_text(config.evict.low),
                share_text(config.evict.high));
  }
  const Config::Cluster& cluster = config.cluster;
  const bool with_tls = cluster.tls_certificate != "none";
  if ((cluster.tls_key != "none") != with_tls || (cluster.tls_ca != "none") != with_tls) {
    return fail(EINVAL, "cluster.tls_certificate, cluster.tls_key and cluster.tls_ca: set all of them, or none");
  }
  return {};
}

std::vector<ConfigKeyInfo> config_keys() {
  const Config defaults;
  std::vector<ConfigKeyInfo> rows;
  for (const ConfigKey& row : config_key_table()) {
    const std::string text = row.text(defaults);
    const bool number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    const bool bare = number && row.type == KeyType::kCount;
    rows.push_back({row.key, row.type_text, bare ? text : fmt::format("\"{}\"", text), row.meaning});
  }
  return rows;
}

}  // namespace forebay
