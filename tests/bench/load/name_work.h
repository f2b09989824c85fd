// MDTest-like: many small operations on names, in a directory of each process or in one that all share.
//
//   prepare  makes the directory; there it may be already
//   create   makes the files (open and close), or directories
//   stat     looks at each
//   open     opens and closes each; of files
//   remove   removes each
//   clear    removes the directory; if it is shared, the first process does
#pragma once

#include "work.h"

namespace forebay::load {

struct NameOptions {
  bool shared = false;
  bool directories = false;  // not files
  uint64_t items = 1000;     // of each process
};

class NameWork final : public Work {
 public:
  NameWork(Place place, const NameOptions& options) : place_(std::move(place)), options_(options) {}

  bool knows(const std::string& phase) const override;
  Done run(const std::string& phase, uint64_t shift) override;

 private:
  std::string base_of(uint64_t rank) const;
  void prepare();
  void clear();

  const Place place_;
  const NameOptions options_;
};

}  // namespace forebay::load
