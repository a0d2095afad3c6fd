// The messages are Event (tensorflow/core/util/event.proto) and Summary
// (tensorflow/core/framework/summary.proto), written field by field as protobuf's encoding guide
// says (https://protobuf.dev/programming-guides/encoding/); the file is a TFRecord
// (https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details").
#include "train/tensorboard.h"

#include <unistd.h>

#include <bit>
#include <chrono>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"

namespace tenon::train {

namespace {

enum class Wire : uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_key(std::string& out, int field, Wire wire) {
  put_varint(out, static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire));
}
void put_bytes(std::string& out, int field, std::string_view bytes) {
  put_key(out, field, Wire::bytes);
  put_varint(out, bytes.size());
  out += bytes;
}
template <class T>
void put_little_endian(std::string& out, T bits) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(bits >> (8 * i) & 0xff);
}

// Event { double wall_time = 1; int64 step = 2; }
std::string event_at(int64_t step) {
  std::string out;
  put_key(out, 1, Wire::fixed64);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  put_little_endian(out, std::bit_cast<uint64_t>(now));
  if (step != 0) {
    put_key(out, 2, Wire::varint);
    put_varint(out, static_cast<uint64_t>(step));
  }
  return out;
}

class TensorBoard final : public Callback {
 public:
  TensorBoard(std::string folder, int64_t every) : writer_(folder), every_(every) {}
  void on_step(const StepReport& report) override {
    if (report.step % every_ != 0) return;
    writer_.scalar("step/loss", report.step, report.loss);
    writer_.scalar("step/learning_rate", report.step, report.rate);
  }
  void on_epoch_end(const EpochRecord& record, const FitState&) override {
    for (const auto& [name, value] : record.values)
      writer_.scalar("epoch/" + name, record.step, value);
    writer_.scalar("epoch/items_per_second", record.step, record.items_per_second);
    writer_.flush();
  }
  void on_end(const FitState&) override { writer_.flush(); }

 private:
  EventWriter writer_;
  int64_t every_;
};

}  // namespace

EventWriter::EventWriter(const std::string& folder) {
  create_directories(folder);
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  path_ = fmt::format("{}/events.out.tfevents.{:010}.tenon.{}", folder, now.count(), getpid());
  file_.open(path_, std::ios::binary | std::ios::trunc);
  TENON_CHECK(file_.is_open(), resource, "{}: cannot be written; choose another folder", path_);
  // string file_version = 3
  std::string event = event_at(0);
  put_bytes(event, 3, "brain.Event:2");
  write(event);
}

void EventWriter::scalar(std::string_view tag, int64_t step, double value) {
  // Summary.Value { string tag = 1; float simple_value = 2; }
  std::string entry;
  put_bytes(entry, 1, tag);
  put_key(entry, 2, Wire::fixed32);
  put_little_endian(entry, std::bit_cast<uint32_t>(static_cast<float>(value)));
  // Summary { repeated Value value = 1; }, Event { Summary summary = 5; }
  std::string summary;
  put_bytes(summary, 1, entry);
  std::string event = event_at(step);
  put_bytes(event, 5, summary);
  write(event);
}

void EventWriter::flush() {
  file_.flush();
  TENON_CHECK(file_.good(), resource, "{}: cannot be written; is the disk full?", path_);
}

void EventWriter::write(const std::string& event) {
  std::string length;
  put_little_endian(length, uint64_t{event.size()});
  std::string record = length;
  put_little_endian(record, mask_crc32c(crc32c(std::string_view(length))));
  record += event;
  put_little_endian(record, mask_crc32c(crc32c(std::string_view(event))));
  file_ << record;
}

CallbackPtr tensorboard(const std::string& folder, int64_t every) {
  return std::make_shared<TensorBoard>(folder, every);
}

}  // namespace tenon::train
