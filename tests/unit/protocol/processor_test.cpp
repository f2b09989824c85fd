// On which processors a server serves its requests.
#include <sched.h>

#include <thread>

#include "tests/unit/protocol/transport_harness.h"

namespace forebay::transport {
namespace {

cpu_set_t processors_of_this_thread() {
  cpu_set_t set;
  CPU_ZERO(&set);
  EXPECT_EQ(::sched_getaffinity(0, sizeof(set), &set), 0);
  return set;
}

// Where the thread may run that serves the request of an inode of this number.
class ProcessorTest : public TransportTest {
 protected:
  static constexpr uint64_t kWaits = 1, kAsks = 2;

  void SetUp() override {
    TransportTest::SetUp();
    if (CPU_COUNT(&all_) < 2) GTEST_SKIP() << "one processor";
    const auto look = [this] { seen_ = processors_of_this_thread(); };
    echo_.on_stat = [this, look](uint64_t id) { id == kWaits ? go_on_.get_future().wait() : look(); };
    echo_.on_read = look;
    serve();
  }
  void TearDown() override {
    ::sched_setaffinity(0, sizeof(all_), &all_);
    TransportTest::TearDown();
  }
  static void stay_on(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    ASSERT_EQ(::sched_setaffinity(0, sizeof(set), &set), 0);
  }

  const cpu_set_t all_ = processors_of_this_thread();
  cpu_set_t seen_ = {};
  std::promise<void> go_on_;
};
INSTANTIATE_TEST_SUITE_P(Sockets, ProcessorTest, testing::Values(Over::kUnix, Over::kTcp, Over::kTls), name_of_sockets);

TEST_P(ProcessorTest, WhoAsksOneThingAfterTheOtherIsServedWhereHeWaits) {
  Channel& client = channel();
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &all_)) continue;
    stay_on(processor);
    ASSERT_TRUE(stat(client, kAsks));
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(stat(client, kAsks));
      EXPECT_EQ(CPU_COUNT(&seen_), 1) << i;
      EXPECT_TRUE(CPU_ISSET(processor, &seen_)) << i;
    }
  }
}

TEST_P(ProcessorTest, BesideAnotherRequestOfThatProcessorOneIsServedAnywhere) {
  Channel& client = channel();
  Channel& other = channel();
  stay_on(0);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(stat(client, kAsks));
  EXPECT_EQ(CPU_COUNT(&seen_), 1);
  std::promise<void> begun;
  echo_.on_stat = [this, &begun, look = echo_.on_stat](uint64_t id) {
    if (id == kWaits) begun.set_value();
    look(id);
  };
  std::thread waiting([&] { EXPECT_TRUE(stat(client, kWaits)); });
  begun.get_future().wait();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(stat(other, kAsks));
    EXPECT_TRUE(CPU_EQUAL(&seen_, &all_)) << i;
  }
  go_on_.set_value();
  waiting.join();
}

TEST_P(ProcessorTest, WhatHasBulkIsServedAnywhere) {
  Channel& client = channel();
  echo_.memory.assign(1000, 'x');
  stay_on(0);
  wire::ReadRequest request;
  request.set_id(1);
  request.set_bytes(echo_.memory.size());
  for (int i = 0; i < 20; ++i) {
    std::array<char, 1000> buffer;
    wire::ReadReply reply;
    Call call(kSoon);
    call.room = buffer;
    wire::Storage_Stub(&client).Read(&call, &request, &reply, nullptr);
    ASSERT_TRUE(call.status);
    EXPECT_TRUE(CPU_EQUAL(&seen_, &all_)) << i;
  }
}

}  // namespace
}  // namespace forebay::transport
