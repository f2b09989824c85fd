#include "core/config_keys.h"

#include <algorithm>

#include "core/config_values.h"
#include "core/layout.h"
#include "core/links.h"
#include "core/log.h"
#include "core/nearest.h"
#include "core/protocol/mgmt_service.h"
#include "core/transport/address.h"
#include "core/units.h"

namespace forebay {
namespace {

constexpr uint64_t kKiB = 1024, kMiB = 1024 * kKiB;
constexpr uint64_t kLeastCapacity = 4 * kMiB;
constexpr uint64_t kLeastBandwidth = 64 * kKiB;
constexpr uint64_t kMostSmallFile = 16 * kMiB;
constexpr uint32_t kMostStreams = 64;

constexpr std::array kFlushPolicies = {
    Choice<FlushPolicy>{"write-back", FlushPolicy::kWriteBack},
    Choice<FlushPolicy>{"on-close", FlushPolicy::kOnClose},
    Choice<FlushPolicy>{"write-through", FlushPolicy::kWriteThrough},
    Choice<FlushPolicy>{"manual", FlushPolicy::kManual},
};
constexpr std::array kFetchModes = {
    Choice<FetchMode>{"stream", FetchMode::kStream},
    Choice<FetchMode>{"whole", FetchMode::kWhole},
};
constexpr std::array kValidates = {
    Choice<Validate>{"always", Validate::kAlways},
    Choice<Validate>{"ttl", Validate::kTtl},
    Choice<Validate>{"never", Validate::kNever},
};
constexpr std::array kPassthroughs = {
    Choice<Passthrough>{"auto", Passthrough::kAuto},
    Choice<Passthrough>{"read", Passthrough::kRead},
    Choice<Passthrough>{"on", Passthrough::kOn},
    Choice<Passthrough>{"off", Passthrough::kOff},
};
constexpr std::array kIoUrings = {
    Choice<IoUring>{"auto", IoUring::kAuto},
    Choice<IoUring>{"on", IoUring::kOn},
    Choice<IoUring>{"off", IoUring::kOff},
};
constexpr std::array kConflictRules = {
    Choice<ConflictRule>{"keep-both", ConflictRule::kKeepBoth},
    Choice<ConflictRule>{"cache-wins", ConflictRule::kCacheWins},
    Choice<ConflictRule>{"external-wins", ConflictRule::kExternalWins},
};

Status set_chunk_size(Config& config, std::string_view value) {
  uint64_t bytes = 0;
  RETURN_IF_ERROR(set_size(bytes, value, kLeastChunkBytes, kMostChunkBytes));
  if ((bytes & (bytes - 1)) != 0) return fail(EINVAL, "\"{}\" is not a power of two", value);
  config.cache.chunk_size_bytes = bytes;
  return {};
}

Status set_log_target(Config& config, std::string_view value) {
  // A mount works in "/": a relative path would not be where the person who wrote it thinks.
  if (value != "auto" && value != "journal" && value != "stderr" && !value.starts_with('/')) {
    return fail(EINVAL, "\"{}\" is neither \"auto\", \"journal\", \"stderr\" nor an absolute path", value);
  }
  config.log.target = value;
  return {};
}

Status set_log_level(Config& config, std::string_view value) {
  RETURN_IF_ERROR(check_log_level(std::string(value)));
  config.log.level = value;
  return {};
}

// The keys below are the design's for later versions: here they have one meaning, which needs no field.

Status set_evict_policy(Config&, std::string_view value) {
  if (value == "lru") return {};
  return fail(EINVAL, "\"{}\" is not \"lru\", the only policy", value);
}

Status set_bandwidth(Config& config, std::string_view value) {
  if (value == "unlimited") {
    config.flush.bytes_per_second = 0;
    return {};
  }
  return set_size(config.flush.bytes_per_second, value, kLeastBandwidth, INT64_MAX);
}

Status set_flush_mode(Config&, std::string_view value) {
  if (value == "in-place") return {};
  if (value == "atomic") return not_available(value, "\"in-place\"");
  return fail(EINVAL, "\"{}\" is not \"in-place\"", value);
}

Status set_stripe_count(Config& config, std::string_view value) {
  if (value == "auto") {
    config.stripe.count = 0;
    return {};
  }
  return set_count(config.stripe.count, value, 1, kMostStripes);
}

Status set_stripe_threshold(Config& config, std::string_view value) {
  if (value == "unlimited") {
    config.stripe.threshold_bytes = UINT64_MAX;
    return {};
  }
  return set_size(config.stripe.threshold_bytes, value, 0, INT64_MAX);
}

Status set_external_timeout(Config&, std::string_view value) {
  if (value == "none") return {};
  RETURN_IF_ERROR(parse_duration(value));
  return not_available(value, "\"none\"");
}

Status set_headroom(Config& config, std::string_view value) {
  if (value == "auto") {
    config.fuse.passthrough_headroom.reset();
    return {};
  }
  Share share;
  RETURN_IF_ERROR(set_share(share, value, 0));
  config.fuse.passthrough_headroom = share;
  return {};
}

constexpr std::string_view kNone = "none";

Status set_node_name(Config& config, std::string_view value) {
  constexpr size_t kMostBytes = 255;
  if (value.empty() || value.size() > kMostBytes) return fail(EINVAL, "\"{}\" is not a name", value);
  config.cluster.name = value;
  return {};
}

Status set_address(std::string& field, std::string_view value) {
  if (value != kNone) RETURN_IF_ERROR(transport::parse_address(value));
  field = value;
  return {};
}

Status set_addresses(std::string& field, std::string_view value) {
  const std::vector<std::string> addresses = split_list(value);
  if (addresses.empty()) return fail(EINVAL, "\"{}\" is no list of addresses", value);
  for (const std::string& address : addresses) RETURN_IF_ERROR(transport::parse_address(address));
  field = value;
  return {};
}

// Daemons work in "/".
Status set_path(std::string& field, std::string_view value) {
  if (value != kNone && !value.starts_with('/')) return fail(EINVAL, "\"{}\" is not an absolute path", value);
  field = value;
  return {};
}

Status set_paths(std::string& field, std::string_view value) {
  const std::vector<std::string> paths = split_list(value);
  if (paths.empty()) return fail(EINVAL, "\"{}\" is no list of paths", value);
  std::string path;
  for (const std::string& one : paths) RETURN_IF_ERROR(set_path(path, one));
  field = value;
  return {};
}

Status set_links(Config& config, std::string Config::Links::*field, std::string_view value) {
  Config changed = config;
  changed.links.*field = value;
  ASSIGN_OR_RETURN([[maybe_unused]] const std::vector<Link> links, links_of(changed));
  config = std::move(changed);
  return {};
}

std::vector<ConfigKey> cluster_keys() {
  return {
      {"links.external", KeyType::kText, "links",
       "More external directories, which appear below the mountpoint: DIR=EXTERNAL, or several; in a cluster mgmtd "
       "tells "
       "the others.",
       [](Config& c, std::string_view v) { return set_links(c, &Config::Links::external, v); },
       [](const Config& c) { return c.links.external; }},
      {"links.transient", KeyType::kText, "directories",
       "Directories below the mountpoint whose files live in the cache alone: DIR, or several.",
       [](Config& c, std::string_view v) { return set_links(c, &Config::Links::transient, v); },
       [](const Config& c) { return c.links.transient; }},
      {"cluster.name", KeyType::kText, "text", "What this node is called in the cluster; \"auto\" is the host's name.",
       set_node_name, [](const Config& c) { return c.cluster.name; }},
      {"cluster.mgmtd", KeyType::kText, "address | none",
       "Where mgmtd listens: HOST:PORT. A mount with this key is one of the cluster's; \"none\": a cache of its own.",
       [](Config& c, std::string_view v) { return set_address(c.cluster.mgmtd, v); },
       [](const Config& c) { return c.cluster.mgmtd; }},
      {"cluster.secret_file", KeyType::kText, "path | none",
       "A file with what all members know and nobody else: at least 16 bytes. Without it, and without "
       "cluster.tls_certificate, daemons listen on loopback addresses and Unix sockets only.",
       [](Config& c, std::string_view v) { return set_path(c.cluster.secret_file, v); },
       [](const Config& c) { return c.cluster.secret_file; }},
      {"cluster.tls_certificate", KeyType::kText, "path | none",
       "The certificate that this member shows to others (PEM): TCP connections are encrypted then, with TLS 1.3. Set "
       "all "
       "three of these keys on all members, or none.",
       [](Config& c, std::string_view v) { return set_path(c.cluster.tls_certificate, v); },
       [](const Config& c) { return c.cluster.tls_certificate; }},
      {"cluster.tls_key", KeyType::kText, "path | none",
       "The private key of that certificate (PEM, without a password); nobody else may read it.",
       [](Config& c, std::string_view v) { return set_path(c.cluster.tls_key, v); },
       [](const Config& c) { return c.cluster.tls_key; }},
      {"cluster.tls_ca", KeyType::kText, "path | none",
       "The certificate of the CA that signs those of all members (PEM), and of nobody else: whoever has one of it is "
       "a "
       "member.",
       [](Config& c, std::string_view v) { return set_path(c.cluster.tls_ca, v); },
       [](const Config& c) { return c.cluster.tls_ca; }},
      {"cluster.external", KeyType::kText, "path | none",
       "The external directory, the same on all nodes; mgmtd tells the others.",
       [](Config& c, std::string_view v) { return set_path(c.cluster.external, v); },
       [](const Config& c) { return c.cluster.external; }},
      {"mgmtd.listen", KeyType::kText, "addresses", "Where mgmtd listens: HOST:PORT or unix:PATH, or several.",
       [](Config& c, std::string_view v) { return set_addresses(c.mgmtd.listen, v); },
       [](const Config& c) { return c.mgmtd.listen; }},
      {"mgmtd.data", KeyType::kText, "path", "Where mgmtd keeps what it must not forget.",
       [](Config& c, std::string_view v) { return set_path(c.mgmtd.data, v); },
       [](const Config& c) { return c.mgmtd.data; }},
      {"mgmtd.metads", KeyType::kCount, "count",
       "How many metadata servers share the tree, 1 to 64; it stays what it was at the first start.",
       [](Config& c, std::string_view v) { return set_count(c.mgmtd.metads, v, 1, kMostMetads); },
       [](const Config& c) { return std::to_string(c.mgmtd.metads); }},
      {"metad.listen", KeyType::kText, "addresses", "Where metad listens: HOST:PORT or unix:PATH, or several.",
       [](Config& c, std::string_view v) { return set_addresses(c.metad.listen, v); },
       [](const Config& c) { return c.metad.listen; }},
      {"metad.data", KeyType::kText, "path", "Where metad keeps its database.",
       [](Config& c, std::string_view v) { return set_path(c.metad.data, v); },
       [](const Config& c) { return c.metad.data; }},
      {"storaged.listen", KeyType::kText, "addresses", "Where storaged listens: HOST:PORT or unix:PATH, or several.",
       [](Config& c, std::string_view v) { return set_addresses(c.storaged.listen, v); },
       [](const Config& c) { return c.storaged.listen; }},
      {"storaged.targets", KeyType::kText, "paths",
       "The targets of this node: a directory on each SSD; cache.capacity is that of each of them.",
       [](Config& c, std::string_view v) { return set_paths(c.storaged.targets, v); },
       [](const Config& c) { return c.storaged.targets; }},
  };
}

std::vector<ConfigKey> make_table() {
  return {
      {"cache.capacity", KeyType::kShare, "share",
       "How much the cache may hold: a percentage of the file system that holds the cache directory, or a size of at "
       "least 4MiB and four chunks.",
       [](Config& c, std::string_view v) { return set_share(c.cache.capacity, v, kLeastCapacity); },
       [](const Config& c) { return share_text(c.cache.capacity); }},
      {"cache.chunk_size", KeyType::kSize, "size",
       "The unit in which a file is fetched and its presence is known: a power of two, 64KiB to 64MiB.", set_chunk_size,
       [](const Config& c) { return size_text(c.cache.chunk_size_bytes); }},
      {"evict.policy", KeyType::kChoice, "lru", "What leaves the cache first: the files used least recently.",
       set_evict_policy, [](const Config&) { return std::string("lru"); }},
      {"evict.high", KeyType::kShare, "share",
       "Eviction begins when this much is used: a percentage of the capacity, or a size.",
       [](Config& c, std::string_view v) { return set_share(c.evict.high, v, 1); },
       [](const Config& c) { return share_text(c.evict.high); }},
      {"evict.low", KeyType::kShare, "share", "Eviction ends when no more than this is used; below evict.high.",
       [](Config& c, std::string_view v) { return set_share(c.evict.low, v, 1); },
       [](const Config& c) { return share_text(c.evict.low); }},
      {"flush.policy", KeyType::kChoice, "write-back | on-close | write-through | manual",
       "When dirty data goes to the external directory: after flush.delay, when the file is closed, before a write "
       "returns, or only when `forebay flush` or `forebay unmount` asks for it (and when the cache needs the room).",
       [](Config& c, std::string_view v) { return set_choice(c.flush.policy, v, kFlushPolicies); },
       [](const Config& c) { return choice_text(c.flush.policy, kFlushPolicies); }},
      {"flush.delay", KeyType::kDuration, "duration",
       "With flush.policy write-back: how long a file rests after its last write before it is flushed.",
       [](Config& c, std::string_view v) { return set_duration(c.flush.delay, v); },
       [](const Config& c) { return duration_text(c.flush.delay); }},
      {"flush.max_dirty", KeyType::kShare, "share",
       "How much data may wait to be flushed before writers wait, too: a percentage of the capacity, or a size.",
       [](Config& c, std::string_view v) { return set_share(c.flush.max_dirty, v, 1); },
       [](const Config& c) { return share_text(c.flush.max_dirty); }},
      {"flush.streams", KeyType::kCount, "count", "How many files are flushed at the same time, 1 to 64.",
       [](Config& c, std::string_view v) { return set_count(c.flush.streams, v, 1, kMostStreams); },
       [](const Config& c) { return std::to_string(c.flush.streams); }},
      {"flush.bandwidth", KeyType::kSize, "size | unlimited",
       "How many bytes per second all flushes together may write outside, at least 64KiB; what waits for a flush waits "
       "accordingly.",
       set_bandwidth,
       [](const Config& c) {
         return c.flush.bytes_per_second == 0 ? std::string("unlimited") : size_text(c.flush.bytes_per_second);
       }},
      {"flush.mode", KeyType::kChoice, "in-place",
       "How a flush changes the external file; this version writes in place only.", set_flush_mode,
       [](const Config&) { return std::string("in-place"); }},
      {"fetch.mode", KeyType::kChoice, "stream | whole",
       "Whether opening a file that is not cached returns at once and its data follow, or waits for the whole file.",
       [](Config& c, std::string_view v) { return set_choice(c.fetch.mode, v, kFetchModes); },
       [](const Config& c) { return choice_text(c.fetch.mode, kFetchModes); }},
      {"fetch.readahead", KeyType::kSize, "size",
       "How far a fetch may run ahead of the reader that needs the data; 0 fetches only what is read.",
       [](Config& c, std::string_view v) { return set_size(c.fetch.readahead_bytes, v, 0, INT64_MAX); },
       [](const Config& c) { return size_text(c.fetch.readahead_bytes); }},
      {"fetch.small_files", KeyType::kSize, "size",
       "Up to which size the files of a directory that is listed are fetched before they are opened, fetch.streams "
       "at a time; 0 for none.",
       [](Config& c, std::string_view v) { return set_size(c.fetch.small_files_bytes, v, 0, kMostSmallFile); },
       [](const Config& c) { return size_text(c.fetch.small_files_bytes); }},
      {"fetch.streams", KeyType::kCount, "count", "How many blocks are fetched at the same time, 1 to 64.",
       [](Config& c, std::string_view v) { return set_count(c.fetch.streams, v, 1, kMostStreams); },
       [](const Config& c) { return std::to_string(c.fetch.streams); }},
      {"consistency.validate", KeyType::kChoice, "always | ttl | never",
       "When a cached object is compared with the external one: at each lookup and open, at most once per "
       "consistency.attr_ttl, or never after it was cached.",
       [](Config& c, std::string_view v) { return set_choice(c.consistency.validate, v, kValidates); },
       [](const Config& c) { return choice_text(c.consistency.validate, kValidates); }},
      {"consistency.attr_ttl", KeyType::kDuration, "duration",
       "How long an answer of the external file system counts (ttl), and how often open files are looked at (ttl and "
       "always).",
       [](Config& c, std::string_view v) { return set_duration(c.consistency.attr_ttl, v); },
       [](const Config& c) { return duration_text(c.consistency.attr_ttl); }},
      {"consistency.conflict", KeyType::kChoice, "keep-both | cache-wins | external-wins",
       "What happens to a file that was changed here and outside: the outside stays and ours goes beside it, ours "
       "replaces it, or ours is dropped.",
       [](Config& c, std::string_view v) { return set_choice(c.consistency.conflict, v, kConflictRules); },
       [](const Config& c) { return choice_text(c.consistency.conflict, kConflictRules); }},
      {"stripe.count", KeyType::kCount, "count",
       "Over how many targets the files of a cluster are striped, where no directory says otherwise. \"auto\": a file "
       "lives whole on the node that touches it first, unless it is larger than stripe.threshold.",
       set_stripe_count,
       [](const Config& c) { return c.stripe.count == 0 ? std::string("auto") : std::to_string(c.stripe.count); }},
      {"stripe.threshold", KeyType::kSize, "size",
       "With stripe.count = \"auto\": files that are larger than this when they are read first are striped over all "
       "targets; or \"unlimited\".",
       set_stripe_threshold,
       [](const Config& c) {
         return c.stripe.threshold_bytes == UINT64_MAX ? std::string("unlimited") : size_text(c.stripe.threshold_bytes);
       }},
      {"external.timeout", KeyType::kDuration, "duration",
       "How long the external file system may take to answer before EIO; this version waits as long as it does: "
       "\"none\".",
       set_external_timeout, [](const Config&) { return std::string("none"); }},
      {"fuse.passthrough", KeyType::kChoice, "auto | read | on | off",
       "Whether the kernel reads and writes the chunk files of cached files itself: where it can, for reading "
       "only, also below fuse.passthrough_headroom, or not at all.",
       [](Config& c, std::string_view v) { return set_choice(c.fuse.passthrough, v, kPassthroughs); },
       [](const Config& c) { return choice_text(c.fuse.passthrough, kPassthroughs); }},
      {"fuse.passthrough_headroom", KeyType::kShare, "share | auto",
       "How much room, free or taken by clean files, must be left for a file to be opened for writing through "
       "passthrough: a percentage of the capacity, or a size; \"auto\" is the larger of 4GiB and 25%.",
       set_headroom,
       [](const Config& c) {
         return c.fuse.passthrough_headroom ? share_text(*c.fuse.passthrough_headroom) : std::string("auto");
       }},
      {"fuse.io_uring", KeyType::kChoice, "auto | on | off",
       "Whether requests come from the kernel through io_uring: where the kernel's fuse module allows it, also where "
       "root has to switch the module's parameter enable_uring for it, or not at all.",
       [](Config& c, std::string_view v) { return set_choice(c.fuse.io_uring, v, kIoUrings); },
       [](const Config& c) { return choice_text(c.fuse.io_uring, kIoUrings); }},
      {"fuse.threads", KeyType::kCount, "count", "How many requests are served at the same time, 2 to 256.",
       [](Config& c, std::string_view v) { return set_count(c.fuse.threads, v, 2, 256); },
       [](const Config& c) { return std::to_string(c.fuse.threads); }},
      {"log.target", KeyType::kText, "auto | journal | stderr | path",
       "Where the log goes; \"auto\" is stderr with --foreground, else the systemd journal where there is one, else "
       "forebay.log in the cache directory.",
       set_log_target, [](const Config& c) { return c.log.target; }},
      {"log.level", KeyType::kText, "text",
       "trace, debug, info, warn, error, critical or off; per module with a list such as \"info,storage=debug\".",
       set_log_level, [](const Config& c) { return c.log.level; }},
  };
}

}  // namespace

const std::vector<ConfigKey>& config_key_table() {
  static const std::vector<ConfigKey> table = [] {
    std::vector<ConfigKey> all = make_table();
    const std::vector<ConfigKey> cluster = cluster_keys();
    all.insert(all.end(), cluster.begin(), cluster.end());
    return all;
  }();
  return table;
}

const ConfigKey* find_config_key(std::string_view key) {
  const auto& table = config_key_table();
  const auto found = std::find_if(table.begin(), table.end(), [key](const ConfigKey& row) { return row.key == key; });
  return found == table.end() ? nullptr : &*found;
}

std::string unknown_key_message(std::string_view key) {
  std::vector<std::string_view> whole, names;
  for (const ConfigKey& row : config_key_table()) {
    whole.push_back(row.key);
    names.push_back(row.key.substr(row.key.find('.') + 1));
  }
  std::string hint = suggestion(key, whole);
  // "capcity" or "cache_capacity.capacity": the name alone may still tell.
  if (const auto name = nearest(key.substr(key.rfind('.') + 1), names); hint.empty() && name) {
    const auto at = std::find(names.begin(), names.end(), *name) - names.begin();
    hint = suggestion(whole[static_cast<size_t>(at)], whole);
  }
  return fmt::format("unknown configuration key \"{}\"{}", key, hint);
}

}  // namespace forebay
