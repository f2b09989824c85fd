// One of the two trees that the walk goes through: its directories, open handles and mappings, for one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "fd.h"
#include "op.h"
#include "outcome.h"

namespace forebay::walk {

inline constexpr int kHandleSlots = 20;
inline constexpr int kMapSlots = 4;
inline constexpr int64_t kMaxTransfer = 256 << 10;

// A block of memory aligned for O_DIRECT.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t length);
  ~AlignedBuffer();
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  char* data() { return data_; }

 private:
  char* data_;
};

// Memory that both sides of a thread use in turn.
class Scratch {
 public:
  // `length` bytes made from the key, none of them zero.
  const char* content(uint64_t key, int64_t length);
  char* read_buffer() { return read_.data(); }

 private:
  AlignedBuffer content_{kMaxTransfer};
  AlignedBuffer read_{kMaxTransfer};
  uint64_t key_ = 0;
  int64_t filled_ = 0;
};

// The files that all threads write to at once.
struct SharedFiles {
  UniqueFd stripes;
  UniqueFd append;
};

class Side {
 public:
  Side(std::string label, const std::string& root, int thread, Scratch& scratch);

  const std::string& label() const { return label_; }
  int root() const { return root_.get(); }
  int thread_root() const { return thread_root_.get(); }
  int shared_root() const { return shared_root_.get(); }

  int base(int number) const;
  int base(const Place& place) const { return base(place.base); }
  int fd(int slot) const { return handles_.at(static_cast<size_t>(slot)).get(); }
  UniqueFd& handle(int slot) { return handles_.at(static_cast<size_t>(slot)); }
  Mapping& mapping(int slot) { return mappings_.at(static_cast<size_t>(slot)); }
  // A descriptor that only says how large the mapped file is.
  int mapped_file(int slot) const { return mapped_files_.at(static_cast<size_t>(slot)).get(); }
  void set_mapping(int slot, Mapping mapping, UniqueFd file) {
    mappings_.at(static_cast<size_t>(slot)) = std::move(mapping);
    mapped_files_.at(static_cast<size_t>(slot)) = std::move(file);
  }
  bool has_mappings() const;
  SharedFiles& shared() { return shared_; }
  Scratch& scratch() { return scratch_; }

  // The same place as an absolute path, for the calls that know no descriptors.
  std::string absolute(const Place& place) const;

  // False once the daemon behind this side is gone.
  bool alive() const;

  void close_all();

 private:
  std::string label_;
  UniqueFd root_;
  UniqueFd thread_root_;
  UniqueFd shared_root_;
  std::array<UniqueFd, kHandleSlots> handles_;
  std::array<Mapping, kMapSlots> mappings_;
  std::array<UniqueFd, kMapSlots> mapped_files_;
  SharedFiles shared_;
  Scratch& scratch_;
};

// The name of a thread's subtree, and the beginning of all its names in the shared one.
std::string thread_name(int thread);

// Throws std::system_error.
UniqueFd open_directory(int base, const std::string& path);

// Carries an operation out: as its user, with the looks afterwards that it asks for.
void execute(Side& side, const Op& op, Outcome& outcome);

}  // namespace forebay::walk
