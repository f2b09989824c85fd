// The inner loops, one by one: layouts, messages, extent sets, the LRU list, the extent log, block sums, the database.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <random>

#include "core/io.h"
#include "core/layout.h"
#include "core/protocol/wire/convert.h"
#include "evictor/lru.h"
#include "meta/store.h"
#include "storage/block_sums.h"
#include "storage/extent_log.h"
#include "storage/extent_set.h"
#include "tests/support/temp_dir.h"

namespace forebay {
namespace {

constexpr uint64_t kChunk = 512 << 10;

// A file written at random offsets: every other chunk of `range(0)` is in the set.
storage::ExtentSet scattered(int64_t ranges) {
  storage::ExtentSet set;
  for (int64_t i = 0; i < ranges; ++i) set.add(2 * i * kChunk, (2 * i + 1) * kChunk);
  return set;
}

void extent_set_add_and_remove(benchmark::State& state) {
  storage::ExtentSet set = scattered(state.range(0));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const uint64_t at = random() % static_cast<uint64_t>(state.range(0)) * 2 * kChunk + kChunk / 2;
    set.add(at, at + kChunk);
    set.remove(at + kChunk / 2, at + kChunk);
  }
}
BENCHMARK(extent_set_add_and_remove)->Arg(1)->Arg(100)->Arg(10'000);

void extent_set_contains(benchmark::State& state) {
  const storage::ExtentSet set = scattered(state.range(0));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const uint64_t at = random() % static_cast<uint64_t>(2 * state.range(0)) * kChunk;
    benchmark::DoNotOptimize(set.contains(at, at + 4096));
  }
}
BENCHMARK(extent_set_contains)->Arg(1)->Arg(100)->Arg(10'000);

void lru_touch(benchmark::State& state) {
  evictor::Lru lru;
  const auto files = static_cast<uint64_t>(state.range(0));
  for (uint64_t id = 0; id < files; ++id) lru.touch(id);
  std::mt19937_64 random(1);
  for (auto _ : state) lru.touch(random() % files);
}
BENCHMARK(lru_touch)->Arg(100)->Arg(1'000'000);

void extent_log_append(benchmark::State& state) {
  const test::TempDir dir;
  storage::ExtentLog log;
  if (!log.create(dir / "log")) return state.SkipWithError("cannot be opened");
  uint64_t at = 0;
  for (auto _ : state) {
    const storage::Record record = storage::Record::of_range(storage::RecordType::kWritten, {at, at + kChunk});
    if (!log.append({&record, 1})) return state.SkipWithError("cannot be written");
    at += kChunk;
  }
}
BENCHMARK(extent_log_append);

void block_sum(benchmark::State& state) {
  const std::string block(storage::BlockSums::kBlockBytes, 'x');
  storage::BlockSums sums;
  for (auto _ : state) sums.set(0, block, block.size());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(block.size()));
}
BENCHMARK(block_sum);

meta::InodeRow row_of(uint64_t id) {
  meta::InodeRow row;
  row.id = id;
  row.identity = {0, id, {1, 2}};
  row.has_data = true;
  return row;
}

// What the first write to a clean file waits for.
void store_put_and_commit(benchmark::State& state) {
  const test::TempDir dir;
  const auto store = meta::Store::open(dir / "metadata.db");
  if (!store) return state.SkipWithError("cannot be opened");
  uint64_t id = 2;
  for (auto _ : state) {
    if (!(*store)->put_inode(row_of(id)) || !(*store)->put_name(1, std::to_string(id), id) || !(*store)->commit()) {
      return state.SkipWithError("cannot be written");
    }
    ++id;
  }
}
BENCHMARK(store_put_and_commit);

void store_find_by_identity(benchmark::State& state) {
  constexpr uint64_t kRows = 100'000;
  const test::TempDir dir;
  const auto store = meta::Store::open(dir / "metadata.db");
  if (!store) return state.SkipWithError("cannot be opened");
  for (uint64_t id = 2; id < kRows; ++id) (void)(*store)->put_inode(row_of(id));
  (void)(*store)->commit();
  std::mt19937_64 random(1);
  for (auto _ : state) {
    meta::InodeRow row;
    benchmark::DoNotOptimize((*store)->find_by_identity({0, 2 + random() % (kRows - 2), {1, 2}}, &row));
  }
}
BENCHMARK(store_find_by_identity);

// Where the pieces of a request of 1 MiB are.
void layout_pieces(benchmark::State& state) {
  const Layout layout{128 << 10, {1, 2, 3, 4, 5, 6, 7, 8}};
  std::mt19937_64 random(1);
  for (auto _ : state) {
    uint64_t at = random() % (uint64_t{1} << 40);
    for (const uint64_t end = at + (1 << 20); at < end;) {
      const Piece piece = first_piece(layout, at, end - at);
      benchmark::DoNotOptimize(Stripe::of(layout, piece.part).local_below(piece.offset));
      at += piece.bytes;
    }
  }
}
BENCHMARK(layout_pieces);

void message_encode_and_decode(benchmark::State& state) {
  ChunkState chunks;
  chunks.size = chunks.present_bytes = 1 << 30;
  chunks.mtime = chunks.ctime = chunks.mtime0.mtime = chunks.mtime0.ctime = {1'700'000'000, 123'456'789};
  chunks.exists = chunks.complete = true;
  for (auto _ : state) {
    wire::ChunkState message, received;
    wire::encode(chunks, message);
    const std::string bytes = message.SerializeAsString();
    benchmark::DoNotOptimize(received.ParseFromString(bytes));
    benchmark::DoNotOptimize(wire::decode(received).size);
  }
}
BENCHMARK(message_encode_and_decode);

}  // namespace
}  // namespace forebay

BENCHMARK_MAIN();
