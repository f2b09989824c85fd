// How one sequence of requests becomes another: libFuzzer knows bytes, this knows messages, and which values hurt.
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <memory>
#include <random>

#include "tests/fuzz/sequence.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t most);

namespace forebay::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  void mutate(std::vector<Request>& sequence);
  size_t below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random_); }

 private:
  uint64_t number(const FieldDescriptor& field);
  std::string bytes(const FieldDescriptor& field);
  void set(Message& message, const FieldDescriptor& field, int depth);
  void add(Message& message, const FieldDescriptor& field, int depth);
  void fill(Message& message, int depth);
  void change_message(Message& message, int depth);
  void change_body(Request& request);
  Request invent();
  void change_bytes(std::string& bytes);

  std::minstd_rand random_;
};

constexpr uint64_t kEdges[] = {0,
                               1,
                               4095,
                               4096,
                               64 << 10,
                               512 << 10,
                               1 << 20,
                               64 << 20,
                               INT32_MAX,
                               UINT32_MAX,
                               uint64_t{1} << 32,
                               uint64_t{1} << 44,
                               (uint64_t{1} << 48) | 1,
                               uint64_t{1} << 62,
                               INT64_MAX - 4096,
                               INT64_MAX,
                               uint64_t{1} << 63,
                               UINT64_MAX - 1,
                               UINT64_MAX};

uint64_t Mutator::number(const FieldDescriptor& field) {
  const std::string& name = field.name();
  const bool is_inode = name == "id" || name == "parent" || name == "new_parent";
  if (is_inode && below(16) != 0) return below(16);
  if (name == "target" && below(16) != 0) return 0;
  if (name == "handle" && below(8) != 0) return below(4);
  if (name == "inode" && below(4) != 0) return 0;  // what is true is put there, see requests.cpp
  if (name == "chunk_size_bytes" && below(4) != 0) return uint64_t{64} << (10 + below(11));
  switch (below(4)) {
    case 0:
      return below(64);
    case 1:
      return uint64_t{1} << below(64);
    case 2:
      return random_() * uint64_t{0x9e3779b97f4a7c15};
    default:
      return kEdges[below(std::size(kEdges))];
  }
}

std::string Mutator::bytes(const FieldDescriptor& field) {
  static const std::string names[] = {"a",
                                      "b",
                                      "d",
                                      "e",
                                      "hole",
                                      "fifo",
                                      "link",
                                      "d/inner",
                                      "inner",
                                      "",
                                      ".",
                                      "..",
                                      "../beside",
                                      "../beside/marker-beside-9f2c",
                                      "d/../a",
                                      "/",
                                      "/etc",
                                      {"a\0b", 3},
                                      std::string(255, 'n'),
                                      std::string(256, 'n'),
                                      std::string(5000, 'n'),
                                      "user.x",
                                      "security.capability",
                                      "system.posix_acl_access",
                                      "trusted.x"};
  if (field.type() == FieldDescriptor::TYPE_BYTES && below(4) != 0) return names[below(std::size(names))];
  if (below(8) == 0) return std::string(below(30'000), 'x');
  return std::string(1, static_cast<char>('a' + below(8)));
}

void Mutator::set(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, number(field));
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, static_cast<int64_t>(number(field)));
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, static_cast<uint32_t>(number(field)));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, static_cast<int32_t>(number(field)));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, below(2) == 0);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(&message, &field, static_cast<int>(below(5)));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, bytes(field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return fill(*reflection.MutableMessage(&message, &field), depth + 1);
    default:
      return;
  }
}

void Mutator::add(Message& message, const FieldDescriptor& field, int depth) {
  const Reflection& reflection = *message.GetReflection();
  constexpr size_t kMany = 1000;
  for (size_t left = below(32) == 0 ? below(kMany) : 1 + below(3); left > 0; --left) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection.AddUInt32(&message, &field, static_cast<uint32_t>(number(field)));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        reflection.AddString(&message, &field, bytes(field));
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        fill(*reflection.AddMessage(&message, &field), depth + 1);
        break;
      default:
        return;
    }
  }
}

void Mutator::fill(Message& message, int depth) {
  constexpr int kDeepest = 5;
  if (depth > kDeepest) return;
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) {
      if (below(2) == 0) add(message, field, depth);
    } else if (below(8) != 0) {
      set(message, field, depth);
    }
  }
}

// One field, at any depth.
void Mutator::change_message(Message& message, int depth) {
  const int fields = message.GetDescriptor()->field_count();
  if (fields == 0) return;
  const FieldDescriptor& field = *message.GetDescriptor()->field(static_cast<int>(below(static_cast<size_t>(fields))));
  const Reflection& reflection = *message.GetReflection();
  if (below(8) == 0) return reflection.ClearField(&message, &field);
  if (field.is_repeated()) return add(message, field, depth);
  const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
  if (is_message && reflection.HasField(message, &field) && below(4) != 0) {
    return change_message(*reflection.MutableMessage(&message, &field), depth + 1);
  }
  set(message, field, depth);
}

std::unique_ptr<Message> message_of(const Request& request) {
  const auto* const type = request.descriptor()->input_type();
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

void Mutator::change_body(Request& request) {
  const std::unique_ptr<Message> message = message_of(request);
  if (!message->ParseFromString(request.body)) message->Clear();
  for (size_t left = 1 + below(3); left > 0; --left) change_message(*message, 0);
  request.body = message->SerializeAsString();
}

Request Mutator::invent() {
  Request request;
  request.service = static_cast<uint8_t>(below(8) == 0 ? 2 : below(2));
  request.method = static_cast<uint8_t>(below(256));
  request.peer = static_cast<uint8_t>(below(4));
  request.room = static_cast<uint8_t>(below(256));
  const std::unique_ptr<Message> message = message_of(request);
  fill(*message, 0);
  request.body = message->SerializeAsString();
  if (below(4) == 0) request.bulk.assign(below(10'000), 'w');
  return request;
}

void Mutator::change_bytes(std::string& bytes) {
  const size_t size = bytes.size();
  bytes.resize(size + 64);
  bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, bytes.size()));
}

void Mutator::mutate(std::vector<Request>& sequence) {
  if (sequence.empty()) return sequence.push_back(invent());
  const size_t at = below(sequence.size());
  const auto place = sequence.begin() + static_cast<ptrdiff_t>(at);
  switch (below(12)) {
    case 0:
      sequence.insert(place, invent());
      return;
    case 1:
      sequence.push_back(invent());
      return;
    case 2: {
      const Request again = *place;
      sequence.insert(sequence.begin() + static_cast<ptrdiff_t>(below(sequence.size() + 1)), again);
      return;
    }
    case 3:
      sequence.erase(place);
      return;
    case 4:
      std::swap(*place, sequence[below(sequence.size())]);
      return;
    case 5:
      place->peer = static_cast<uint8_t>(below(256));
      place->room = static_cast<uint8_t>(below(256));
      return;
    case 6:
      return change_bytes(place->bulk);
    case 7:
      return change_bytes(place->body);
    default:
      return change_body(*place);
  }
}

size_t store(std::vector<Request>& sequence, uint8_t* data, size_t most) {
  std::string bytes = to_bytes(sequence);
  while (bytes.size() > most && !sequence.empty()) {
    sequence.pop_back();
    bytes = to_bytes(sequence);
  }
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}

}  // namespace
}  // namespace forebay::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t most, unsigned seed) {
  using namespace forebay::fuzz;
  std::vector<Request> sequence = parse_sequence({data, size});
  Mutator mutator(seed);
  for (size_t left = 1 + mutator.below(4); left > 0; --left) mutator.mutate(sequence);
  return store(sequence, data, most);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* data1, size_t size1, const uint8_t* data2, size_t size2,
                                            uint8_t* out, size_t most, unsigned seed) {
  using namespace forebay::fuzz;
  std::vector<Request> sequence = parse_sequence({data1, size1}), other = parse_sequence({data2, size2});
  Mutator mutator(seed);
  sequence.resize(mutator.below(sequence.size() + 1));
  const size_t skipped = mutator.below(other.size() + 1);
  sequence.insert(sequence.end(), other.begin() + static_cast<ptrdiff_t>(skipped), other.end());
  return store(sequence, out, most);
}
