// A small file system of its own, on a loop device: one that can be full, and whose power can be cut.
#pragma once

#include <cstdint>
#include <string>

namespace forebay::test {

// ext4 in a sparse file beside the mountpoint, mounted until the end. Failures throw.
class LoopDisk {
 public:
  LoopDisk(const std::string& mountpoint, uint64_t bytes);
  ~LoopDisk();
  LoopDisk(const LoopDisk&) = delete;
  LoopDisk& operator=(const LoopDisk&) = delete;

  const std::string& mountpoint() const { return mountpoint_; }
  void mount();
  void unmount();
  // From now on nothing reaches the disk: neither data nor journal that is only in memory. What is mounted again after
  // an unmount() is what the disk had.
  void cut_power();
  // Whoever changes something waits, uninterruptibly, until thaw(). The end thaws.
  void freeze();
  void thaw();
  // Takes all free space but `bytes`.
  void fill_up(uint64_t bytes = 0);
  void make_room();

 private:
  std::string filler() const { return mountpoint_ + "/filler"; }

  std::string mountpoint_;
  std::string image_ = mountpoint_ + ".image";
  bool mounted_ = false, frozen_ = false;
};

}  // namespace forebay::test
