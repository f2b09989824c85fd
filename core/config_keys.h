// The table of all configuration keys: private to core/config*.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/result.h"

namespace forebay {

// What a key takes. It decides which TOML types may be used for it, and how it is called in the documentation.
enum class KeyType { kSize, kDuration, kShare, kCount, kText, kChoice };

struct ConfigKey {
  std::string_view key;
  KeyType type;
  std::string_view type_text;  // as in ConfigKeyInfo::type
  std::string_view meaning;
  // Sets the key from its text. EINVAL, ENOTSUP; the context says what is wrong with the value, without the key.
  Status (*set)(Config& config, std::string_view value);
  // The value that `config` has, as text that `set` takes; nothing else for the keys without a field.
  std::string (*text)(const Config& config);
};

// In the order of the documentation.
const std::vector<ConfigKey>& config_key_table();

// Null when it is unknown.
const ConfigKey* find_config_key(std::string_view key);

// `unknown configuration key "evict.hihg"; did you mean "evict.high"?`
std::string unknown_key_message(std::string_view key);

}  // namespace forebay
