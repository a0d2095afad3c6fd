// The outside of engine files: a prologue, a header that lists sections, and the sections.
//
//   bytes 0..7    the magic
//   bytes 8..11   format version           (integers are little-endian)
//   bytes 12..15  CRC-32C of bytes 16 to the end of the header
//   bytes 16..23  bytes of the whole file
//   bytes 24..31  bytes of the header
//   bytes 32..    the header: JSON with facts, and for each section its offset behind the header's
//                 end (rounded up to a page), its bytes and their CRC-32C
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace tenon::engine {

// Goes up whenever files, or what kernels make of packed weights, are no more what they were.
inline constexpr uint32_t kEngineFormat = 1;
inline constexpr uint64_t kEnginePage = 4096;

// Whether bytes begin as engine files do, of whatever format.
bool has_engine_magic(std::string_view bytes);

struct EngineSection {
  std::span<const std::byte> bytes;
  uint32_t crc = 0;
};

struct EngineSections {
  Json facts;
  std::map<std::string, EngineSection, std::less<>> list;

  // Fails (data) where there is no such section.
  const EngineSection& find(std::string_view name, std::string_view where) const;
};

// Looks at prologue and header only. Fails in one sentence that begins with `where`: (data) on what
// is no engine file, is truncated or damaged, (unsupported) on other formats. `checksums`: whether
// that of the header is looked at.
EngineSections read_engine_sections(std::span<const std::byte> bytes, std::string_view where,
                                    bool checksums = true);
// Fails (data) where a section is not what was written.
void check_section(const EngineSection& section, std::string_view name, std::string_view where);

// Pieces of a section to be written, in order; alive until they are. Each is put at a multiple of
// its alignment, which is at most a page.
class EngineSectionWriter {
 public:
  explicit EngineSectionWriter(std::string name) : name_(std::move(name)) {}

  // Where it will lie in the section.
  uint64_t add(std::span<const std::byte> bytes, uint64_t alignment = 1);

 private:
  friend void write_engine_sections(const std::string& path, Json facts,
                                    const std::vector<EngineSectionWriter>& sections);
  struct Piece {
    uint64_t offset = 0;
    std::span<const std::byte> bytes;
  };
  // Calls with all bytes in order, gaps as zeros.
  void for_each_run(const std::function<void(std::span<const std::byte>)>& visit) const;

  std::string name_;
  std::vector<Piece> pieces_;
  uint64_t size_ = 0;
};

// The file appears complete or not at all.
void write_engine_sections(const std::string& path, Json facts,
                           const std::vector<EngineSectionWriter>& sections);

}  // namespace tenon::engine
