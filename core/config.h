// The configuration: one struct, one table of keys, three sources (defaults, a TOML file, --set KEY=VALUE).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace forebay {

enum class FlushPolicy { kWriteBack, kOnClose, kWriteThrough, kManual };
enum class FetchMode { kStream, kWhole };
enum class Validate { kAlways, kTtl, kNever };
enum class ConflictRule { kKeepBoth, kCacheWins, kExternalWins };
enum class Passthrough { kAuto, kRead, kOn, kOff };
enum class IoUring { kAuto, kOn, kOff };

// A size that may be said as a share of the capacity ("50%") or in bytes ("10GiB").
struct Share {
  std::optional<double> fraction;  // 0..1, when said as a percentage
  uint64_t bytes = 0;              // otherwise

  // In bytes, of a whole of `total` bytes; never more than the whole.
  uint64_t of(uint64_t total) const;
};

struct Config {
  struct Cache {
    Share capacity{0.9, 0};  // a percentage counts the file system that holds the cache directory
    uint64_t chunk_size_bytes = 512 << 10;
  } cache;
  struct Evict {
    Share high{0.9, 0};
    Share low{0.8, 0};
  } evict;
  struct Flush {
    FlushPolicy policy = FlushPolicy::kWriteBack;
    std::chrono::milliseconds delay{5000};
    Share max_dirty{0.5, 0};
    uint32_t streams = 8;           // concurrent syncs outside share journal commits there
    uint64_t bytes_per_second = 0;  // 0: as fast as it goes
  } flush;
  struct Fetch {
    FetchMode mode = FetchMode::kStream;
    uint64_t readahead_bytes = 64 << 20;
    uint64_t small_files_bytes = 0;  // up to this size, files of a directory that is listed are fetched
    uint32_t streams = 4;
  } fetch;
  struct Consistency {
    Validate validate = Validate::kTtl;
    std::chrono::milliseconds attr_ttl{1000};
    ConflictRule conflict = ConflictRule::kKeepBoth;
  } consistency;
  struct Fuse {
    Passthrough passthrough = Passthrough::kAuto;
    std::optional<Share> passthrough_headroom;  // nothing: see passthrough_headroom_of()
    IoUring io_uring = IoUring::kAuto;
    uint32_t threads = 32;
  } fuse;
  struct Stripe {
    uint32_t count = 0;                            // 0: auto
    uint64_t threshold_bytes = uint64_t{1} << 30;  // UINT64_MAX: unlimited
  } stripe;
  // Lists, separated by commas; see core/links.h.
  struct Links {
    std::string external;   // DIR=EXTERNAL
    std::string transient;  // DIR
  } links;
  struct Cluster {
    std::string name = "auto";  // of this node; "auto": the host's
    std::string mgmtd = "none";
    std::string secret_file = "none";
    // Of files in PEM; all of them or none.
    std::string tls_certificate = "none";
    std::string tls_key = "none";
    std::string tls_ca = "none";
    std::string external = "none";
  } cluster;
  // Of the daemons. Lists are separated by commas.
  struct Mgmtd {
    std::string listen = "127.0.0.1:7700";
    std::string data = "/var/lib/forebay/mgmtd";
    uint32_t metads = 1;  // how many metadata servers the cluster has
  } mgmtd;
  struct Metad {
    std::string listen = "127.0.0.1:7701";
    std::string data = "/var/lib/forebay/metad";
  } metad;
  struct Storaged {
    std::string listen = "127.0.0.1:7702";
    std::string targets = "/var/lib/forebay/target";
  } storaged;
  struct Log {
    std::string target = "auto";  // "auto", "journal", "stderr" or a file's path
    std::string level = "info";   // "info", or per module: "info,storage=debug"
  } log;
};

// Sets one key from its text ("flush.delay", "5s"). EINVAL with one line that names the key and the value (and the
// nearest known key when it is unknown); ENOTSUP for a value that the design names and this version does not do yet.
Status set_config_key(Config& config, std::string_view key, std::string_view value);

// Applies a TOML file. ENOENT/EACCES when it can't be read; EINVAL with file, line and key otherwise.
Status load_config_file(Config& config, const std::string& path);

// What no single key can tell: low above high, a chunk size that is no power of two, ... EINVAL.
Status check_config(const Config& config);

// cluster.name, or the host's name.
std::string node_name_of(const Config& config);

// The parts of a list that are separated by commas; empty ones are left out.
std::vector<std::string> split_list(std::string_view list);

// fuse.passthrough_headroom in bytes, for a cache of this capacity; the default is the larger of 4 GiB and a quarter.
uint64_t passthrough_headroom_of(const Config& config, uint64_t capacity_bytes);

// One row for each known key, in the order of the documentation.
struct ConfigKeyInfo {
  std::string_view key;
  std::string_view type;      // "size", "duration", "share", "count", "text", or the choices "a | b | c"
  std::string default_value;  // as one would write it in TOML
  std::string_view meaning;   // one sentence
};
std::vector<ConfigKeyInfo> config_keys();

}  // namespace forebay
