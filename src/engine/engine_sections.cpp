#include "engine/engine_sections.h"

#include <array>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

namespace tenon::engine {

namespace {

static_assert(std::endian::native == std::endian::little, "engine files are little-endian");

// Not text, and damaged by whatever takes it for text.
constexpr std::string_view kMagic("\x8ftenon\r\n", 8);
constexpr size_t kPrologue = 32;
constexpr size_t kChecked = 16;  // the checksum covers the header and the prologue from here on
constexpr uint64_t kMaxHeader = uint64_t{1} << 20;

struct Prologue {
  uint32_t format = kEngineFormat;
  uint32_t crc = 0;
  uint64_t file_bytes = 0;
  uint64_t header_bytes = 0;
};
static_assert(sizeof(Prologue) == kPrologue - kMagic.size());

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t number(const Json& json, const char* key, std::string_view where) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  TENON_CHECK(found != json.end() && found->is_number_unsigned(), data,
              "{}: the header gives no {} of a section; the file is damaged", where, key);
  return found->get<uint64_t>();
}

Prologue read_prologue(std::span<const std::byte> bytes, std::string_view where) {
  TENON_CHECK(has_engine_magic(text_of(bytes)), data,
              "{}: this is no engine file; write one with `tenon optimize MODEL -o FILE.tenon`",
              where);
  TENON_CHECK(bytes.size() >= kPrologue, data,
              "{}: the engine file is truncated after {}; write or copy it again", where,
              text::plural(bytes.size(), "byte"));
  Prologue prologue;
  std::memcpy(&prologue, bytes.data() + kMagic.size(), sizeof(prologue));
  TENON_CHECK(
      prologue.format == kEngineFormat, unsupported,
      "{}: an engine file of format {}, and this Tenon takes format {}; write it again from "
      "its model with `tenon optimize`",
      where, prologue.format, kEngineFormat);
  TENON_CHECK(prologue.file_bytes == bytes.size(), data,
              "{}: the engine file should have {} bytes, but has {}; write or copy it again", where,
              prologue.file_bytes, bytes.size());
  TENON_CHECK(prologue.header_bytes <= std::min<uint64_t>(kMaxHeader, bytes.size() - kPrologue),
              data, "{}: a header of {} bytes does not fit the file's {}; the file is damaged",
              where, prologue.header_bytes, bytes.size());
  return prologue;
}

}  // namespace

bool has_engine_magic(std::string_view bytes) { return bytes.starts_with(kMagic); }

const EngineSection& EngineSections::find(std::string_view name, std::string_view where) const {
  const auto found = list.find(name);
  TENON_CHECK(found != list.end(), data, "{}: it has no section {}; the file is damaged", where,
              name);
  return found->second;
}

EngineSections read_engine_sections(std::span<const std::byte> bytes, std::string_view where,
                                    bool checksums) {
  const Prologue prologue = read_prologue(bytes, where);
  const uint64_t header_end = kPrologue + prologue.header_bytes;
  TENON_CHECK(!checksums || crc32c(bytes.subspan(kChecked, header_end - kChecked)) == prologue.crc,
              data, "{}: the checksum of the header does not fit; the file is damaged", where);
  EngineSections sections;
  Json header = parse_json(text_of(bytes.subspan(kPrologue, prologue.header_bytes)), where);
  TENON_CHECK(header.is_object() && header.contains("sections") && header["sections"].is_object(),
              data, "{}: the header lists no sections; the file is damaged", where);
  const uint64_t begin = std::min<uint64_t>(round_up(header_end, kEnginePage), bytes.size());
  const uint64_t room = bytes.size() - begin;
  for (const auto& [name, section] : header["sections"].items()) {
    const uint64_t offset = number(section, "offset", where);
    const uint64_t count = number(section, "bytes", where);
    TENON_CHECK(offset <= room && count <= room - offset, data,
                "{}: section {} of {} bytes at {} lies outside the file's {}; the file is damaged",
                where, text::quoted(name), count, offset, bytes.size());
    const auto crc = static_cast<uint32_t>(number(section, "crc32c", where));
    sections.list.emplace(name, EngineSection{bytes.subspan(begin + offset, count), crc});
  }
  header.erase("sections");
  sections.facts = std::move(header);
  return sections;
}

void check_section(const EngineSection& section, std::string_view name, std::string_view where) {
  TENON_CHECK(crc32c(section.bytes) == section.crc, data,
              "{}: the checksum of its section {} does not fit; the file is damaged, write or copy "
              "it again",
              where, name);
}

uint64_t EngineSectionWriter::add(std::span<const std::byte> bytes, uint64_t alignment) {
  const uint64_t offset = round_up(size_, alignment);
  pieces_.push_back({offset, bytes});
  size_ = offset + bytes.size();
  return offset;
}

void EngineSectionWriter::for_each_run(
    const std::function<void(std::span<const std::byte>)>& visit) const {
  static constexpr std::array<std::byte, kEnginePage> zeros{};
  uint64_t at = 0;
  for (const Piece& piece : pieces_) {
    visit(std::span(zeros).first(piece.offset - at));
    visit(piece.bytes);
    at = piece.offset + piece.bytes.size();
  }
}

void write_engine_sections(const std::string& path, Json facts,
                           const std::vector<EngineSectionWriter>& sections) {
  uint64_t end = 0;
  std::vector<uint64_t> offsets;
  for (const EngineSectionWriter& section : sections) {
    uint32_t crc = 0;
    section.for_each_run([&](std::span<const std::byte> run) { crc = crc32c(run, crc); });
    offsets.push_back(round_up(end, kEnginePage));
    end = offsets.back() + section.size_;
    facts["sections"][section.name_] = {
        {"offset", offsets.back()}, {"bytes", section.size_}, {"crc32c", crc}};
  }
  const std::string header = facts.dump(1, ' ', false, Json::error_handler_t::replace);
  const uint64_t begin = round_up(kPrologue + header.size(), kEnginePage);
  Prologue prologue;
  prologue.header_bytes = header.size();
  prologue.file_bytes = begin + end;
  constexpr size_t kSkipped = kChecked - kMagic.size();
  prologue.crc = crc32c(std::as_bytes(std::span(&prologue, 1)).subspan(kSkipped));
  prologue.crc = crc32c(header, prologue.crc);

  AtomicFile file(path);
  const auto pad_to = [&](uint64_t offset) { file.write(std::string(offset - file.size(), '\0')); };
  file.write(kMagic);
  file.write(std::as_bytes(std::span(&prologue, 1)));
  file.write(header);
  pad_to(begin);
  for (size_t i = 0; i < sections.size(); ++i) {
    pad_to(begin + offsets[i]);
    sections[i].for_each_run([&](std::span<const std::byte> run) { file.write(run); });
  }
  file.commit();
}

}  // namespace tenon::engine
