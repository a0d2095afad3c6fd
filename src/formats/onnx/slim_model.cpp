// A walk over protobuf's wire format: ModelProto.graph, GraphProto.initializer,
// TensorProto.raw_data.
// https://protobuf.dev/programming-guides/encoding/
#include "formats/onnx/slim_model.h"

#include <cstdint>

namespace tenon::formats {

namespace {

constexpr uint32_t kGraphOfModel = 7;
constexpr uint32_t kInitializerOfGraph = 5;
constexpr uint32_t kRawDataOfTensor = 9;

// Smaller contents are as well copied.
constexpr size_t kLarge = size_t{16} << 10;
// What a field of no contents takes: tag and length.
constexpr size_t kMaxHeader = 20;

enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  uint32_t number = 0;
  Wire wire = Wire::varint;
  std::span<const std::byte> whole;     // tag included
  std::span<const std::byte> contents;  // of Wire::bytes
};

// The fields of a message, one after another.
class Fields {
 public:
  explicit Fields(std::span<const std::byte> message) : message_(message) {}

  bool damaged() const { return damaged_; }

  // False at the end, and where the rest is no field.
  bool next(Field& field) {
    if (at_ == message_.size() || damaged_) return false;
    const size_t begin = at_;
    const uint64_t tag = varint();
    field = {static_cast<uint32_t>(tag >> 3), static_cast<Wire>(tag & 7U), {}, {}};
    damaged_ = damaged_ || tag > UINT32_MAX || field.number == 0;
    switch (field.wire) {
      case Wire::varint: varint(); break;
      case Wire::fixed64: skip(8); break;
      case Wire::fixed32: skip(4); break;
      case Wire::bytes: {
        const uint64_t count = varint();
        const size_t from = at_;
        if (skip(count)) field.contents = message_.subspan(from, count);
        break;
      }
      default: damaged_ = true;  // groups: nothing of ONNX has such
    }
    field.whole = message_.subspan(begin, at_ - begin);
    return !damaged_;
  }

 private:
  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && at_ < message_.size(); shift += 7) {
      const auto byte = static_cast<uint8_t>(message_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    damaged_ = true;
    return 0;
  }

  bool skip(uint64_t count) {
    if (count > message_.size() - at_) damaged_ = true;
    if (!damaged_) at_ += count;
    return !damaged_;
  }

  std::span<const std::byte> message_;
  size_t at_ = 0;
  bool damaged_ = false;
};

void append(std::string& to, std::span<const std::byte> bytes) {
  to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void append_varint(std::string& to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80U));
  to.push_back(static_cast<char>(value));
}

void append_message(std::string& to, uint32_t number, std::string_view message) {
  append_varint(to, uint64_t{number} << 3 | static_cast<uint64_t>(Wire::bytes));
  append_varint(to, message.size());
  to.append(message);
}

// One of GraphProto.initializer. False where it is damaged.
bool append_tensor(const Field& tensor, std::string& to, SlimModel& slim) {
  std::span<const std::byte>& raw = slim.raw.emplace_back();
  if (tensor.contents.size() < kLarge) {
    append(to, tensor.whole);
    return true;
  }
  std::string rest;
  size_t raw_fields = 0;
  Fields fields(tensor.contents);
  for (Field field; fields.next(field);) {
    const bool is_raw = field.number == kRawDataOfTensor && field.wire == Wire::bytes;
    if (!is_raw || field.contents.size() < kLarge) {
      raw_fields += is_raw ? 1 : 0;
      append(rest, field.whole);
      continue;
    }
    ++raw_fields;
    raw = field.contents;
    append_message(rest, kRawDataOfTensor, "");
  }
  // Of fields given twice the last one counts; nobody writes that, so it need not be quick.
  if (raw_fields > 1) {
    raw = {};
    append(to, tensor.whole);
  } else {
    append_message(to, kInitializerOfGraph, rest);
  }
  return !fields.damaged();
}

bool append_graph(const Field& graph, SlimModel& slim) {
  std::string rest;
  Fields fields(graph.contents);
  for (Field field; fields.next(field);) {
    if (field.number != kInitializerOfGraph)
      append(rest, field.whole);
    else if (field.wire != Wire::bytes || !append_tensor(field, rest, slim))
      return false;
  }
  append_message(slim.bytes, kGraphOfModel, rest);
  return !fields.damaged();
}

}  // namespace

std::optional<SlimModel> slim_model(std::span<const std::byte> model) {
  if (model.size() < kLarge) return std::nullopt;
  SlimModel slim;
  Fields fields(model);
  for (Field field; fields.next(field);) {
    if (field.number != kGraphOfModel)
      append(slim.bytes, field.whole);
    else if (field.wire != Wire::bytes || !append_graph(field, slim))
      return std::nullopt;
  }
  if (fields.damaged() || slim.bytes.size() + kLarge + kMaxHeader > model.size())
    return std::nullopt;
  return slim;
}

}  // namespace tenon::formats
