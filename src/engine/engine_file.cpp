#include "engine/engine_file.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/threads.h"
#include "base/version.h"
#include "engine/engine_sections.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"

namespace tenon::engine {

namespace {

constexpr size_t kMinPlaced = 1024;  // smaller constants stay with the graph
constexpr uint64_t kLine = 64;
constexpr size_t kLarge = 65536;  // from here on a tensor has pages of its own

uint64_t alignment_of(size_t bytes) { return bytes >= kLarge ? kEnginePage : kLine; }

std::span<const std::byte> bytes_of(const Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.raw()), tensor.bytes()};
}
std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// -- Writing -----------------------------------------------------------------------------------
// Finds the constant that an address lies in.
class ConstantsByAddress {
 public:
  explicit ConstantsByAddress(const graph::Graph& graph) {
    for (const graph::Value& value : graph.values()) {
      if (!value.is_constant() || is_container(value.type.dtype)) continue;
      const std::span<const std::byte> bytes = bytes_of(value.type.constant);
      if (!bytes.empty() && value.type.constant.is_contiguous())
        by_begin_.emplace(bytes.data(), Place{&value.name, bytes.size()});
    }
  }
  // Its name, and how far behind its beginning; null where there is none.
  std::pair<const std::string*, uint64_t> find(const void* address) const {
    const auto* at = static_cast<const std::byte*>(address);
    auto next = by_begin_.upper_bound(at);
    if (next == by_begin_.begin()) return {nullptr, 0};
    const auto& [begin, place] = *--next;
    const auto offset = static_cast<uint64_t>(at - begin);
    return offset < place.bytes ? std::pair{place.name, offset} : std::pair{nullptr, offset};
  }

 private:
  struct Place {
    const std::string* name = nullptr;
    size_t bytes = 0;
  };
  std::map<const std::byte*, Place, std::less<>> by_begin_;
};

std::string hex(const LayoutDigest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

Json facts_of(const Session& session, const EngineFileOptions& options) {
  return {{"tenon", library_version()},        {"model", session.graph().name},
          {"precision", options.precision},    {"cpu", this_machine().cpu},
          {"vectors", this_machine().vectors}, {"build", this_machine().build},
          {"threads", thread_count()}};
}

// -- Reading -----------------------------------------------------------------------------------
std::string text_fact(const Json& facts, const char* key, std::string_view where) {
  const auto found = facts.find(key);
  TENON_CHECK(found != facts.end() && found->is_string(), data,
              "{}: the header gives no {}; the file is damaged", where, key);
  return found->get<std::string>();
}

std::optional<LayoutDigest> parse_digest(const std::string& text) {
  LayoutDigest digest;
  const auto part = [&](size_t from, uint64_t& number) {
    const char *begin = text.data() + from, *end = begin + 16;
    const auto [at, error] = std::from_chars(begin, end, number, 16);
    return error == std::errc() && at == end;
  };
  if (text.size() != 32 || !part(0, digest.high) || !part(16, digest.low)) return std::nullopt;
  return digest;
}

// One axis of plain numbers that lies within `bytes`.
std::optional<Tensor> shown(std::span<const std::byte> bytes, uint64_t offset, DType type,
                            uint64_t elements, const std::shared_ptr<const void>& owner) {
  if (!kNumeric.has(type) || offset > bytes.size()) return std::nullopt;
  if (elements > (bytes.size() - offset) / size_of(type)) return std::nullopt;
  void* begin = const_cast<std::byte*>(bytes.data() + offset);
  if (reinterpret_cast<uintptr_t>(begin) % kLine != 0) return std::nullopt;
  return Tensor::borrow(begin, {static_cast<int64_t>(elements)}, type, [owner] {});
}

std::vector<EngineFile::Packed> read_packed(const EngineSections& sections,
                                            const std::shared_ptr<const void>& owner,
                                            const std::string& where) {
  const std::span<const std::byte> bytes = sections.find("packed", where).bytes;
  const Json index = parse_json(text_of(sections.find("packed_index", where).bytes), where);
  std::vector<EngineFile::Packed> list;
  try {
    for (const Json& entry : index) {
      const auto layout = parse_digest(entry.at("layout").get<std::string>());
      const auto tensor = shown(bytes, entry.at("offset").get<uint64_t>(),
                                parse_dtype(entry.at("type").get<std::string>()),
                                entry.at("elements").get<uint64_t>(), owner);
      TENON_CHECK(layout && tensor, data,
                  "{}: a packed weight lies outside its section; the file "
                  "is damaged",
                  where);
      list.push_back(
          {entry.at("value").get<std::string>(), entry.at("at").get<uint64_t>(), *layout, *tensor});
    }
  } catch (const Json::exception& error) {
    fail(ErrorKind::data, "{}: the list of packed weights cannot be read; the file is damaged ({})",
         where, error.what());
  }
  return list;
}

TuningChoices read_tuning(const EngineSections& sections, const std::string& where) {
  const Json json = parse_json(text_of(sections.find("tuning", where).bytes), where);
  TENON_CHECK(json.is_object(), data, "{}: its tuning is no list of choices; the file is damaged",
              where);
  TuningChoices choices;
  for (const auto& [call, kernel] : json.items())
    if (kernel.is_string()) choices.emplace(call, kernel.get<std::string>());
  return choices;
}

}  // namespace

void save_engine(const Session& session, const std::string& path,
                 const EngineFileOptions& options) {
  with_context(
      [&] { return "while writing the engine file " + path; },
      [&] {
        EngineSectionWriter graph("graph"), tuning("tuning"), packed_index("packed_index"),
            packed("packed"), weights("weights");
        std::vector<Tensor> kept;  // what the writers show
        std::map<std::pair<const void*, size_t>, uint64_t> known;
        const std::string model = formats::export_own_bytes(
            session.graph(), [&](const Tensor& tensor) -> std::optional<uint64_t> {
              if (tensor.bytes() < kMinPlaced) return std::nullopt;
              const auto [at, is_new] = known.try_emplace({tensor.raw(), tensor.bytes()});
              if (is_new) {
                at->second = weights.add(bytes_of(tensor), alignment_of(tensor.bytes()));
                kept.push_back(tensor);
              }
              return at->second;
            });
        graph.add(bytes_of(model));
        const std::string choices = Json(session.tuning()).dump(1);
        tuning.add(bytes_of(choices));

        Json index = Json::array();
        const ConstantsByAddress constants(session.graph());
        for (const PackedStore::Entry& entry : session.packed().entries()) {
          const auto [value, at] = constants.find(entry.source);
          const Tensor& tensor = entry.tensor;
          if (!options.packed || !value || tensor.rank() != 1 || !kNumeric.has(tensor.dtype()))
            continue;
          index.push_back({{"value", *value},
                           {"at", at},
                           {"layout", hex(entry.layout)},
                           {"type", name(tensor.dtype())},
                           {"elements", tensor.numel()},
                           {"offset", packed.add(bytes_of(tensor), alignment_of(tensor.bytes()))}});
          kept.push_back(tensor);
        }
        const std::string listed = index.dump(1);
        packed_index.add(bytes_of(listed));
        write_engine_sections(path, facts_of(session, options),
                              {graph, tuning, packed_index, packed, weights});
      });
}

bool is_engine_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char bytes[8] = {};
  return file.read(bytes, sizeof(bytes)) && has_engine_magic({bytes, sizeof(bytes)});
}

EngineFile read_engine(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                       const std::string& name, const EngineReading& reading) {
  const EngineSections sections = read_engine_sections(bytes, name, reading.checksums);
  const EngineSection& model = sections.find("graph", name);
  const EngineSection& weights = sections.find("weights", name);
  if (reading.checksums)
    for (const char* section : {"graph", "tuning", "packed_index"})
      check_section(sections.find(section, name), section, name);

  EngineFile file;
  file.version = text_fact(sections.facts, "tenon", name);
  file.precision = text_fact(sections.facts, "precision", name);
  file.machine = {text_fact(sections.facts, "cpu", name),
                  text_fact(sections.facts, "vectors", name),
                  text_fact(sections.facts, "build", name)};
  const Machine& here = reading.machine ? *reading.machine : this_machine();
  file.at_home = file.version == library_version() && file.machine == here;
  file.graph = formats::import_onnx(model.bytes, name,
                                    {.own = true, .place = weights.bytes, .place_owner = owner});
  if (file.at_home) {
    file.tuning = read_tuning(sections, name);
    file.packed = read_packed(sections, owner, name);
  } else {
    const bool other_build = file.version == library_version() && file.machine.build != here.build;
    log_info("{} was written by {}Tenon {} on {}; kernels are chosen and weights packed anew here",
             name, other_build ? "another build of " : "", file.version, file.machine.cpu);
  }
  return file;
}

EngineFile read_engine(const std::string& path) {
  return with_context([&] { return "while loading " + path; },
                      [&] {
                        const auto file = std::make_shared<const MappedFile>(path);
                        return read_engine(file->bytes(), file,
                                           std::filesystem::path(path).filename().string());
                      });
}

void check_engine_file(const std::string& path) {
  const MappedFile file(path, MappedFile::Access::sequential);
  const EngineSections sections = read_engine_sections(file.bytes(), path);
  for (const auto& [name, section] : sections.list) check_section(section, name, path);
}

}  // namespace tenon::engine
