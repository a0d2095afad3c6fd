// JSON documents, by way of nlohmann/json, with errors that say where. Include <nlohmann/json.hpp>
// in the source that uses the values; this header only declares them.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace tenon {

using Json = nlohmann::json;

// Fails (data) with "<where>:<line>:<column>: ..." on anything that is not one JSON document, on
// text that is not UTF-8 and on nesting deeper than 256. `where` is a path or a name.
Json parse_json(std::string_view text, std::string_view where);
Json read_json(const std::string& path, uint64_t max_bytes = uint64_t{1} << 30);
// Indented by two, keys sorted, a newline at the end; written beside and renamed. Text that is not
// UTF-8 is written with replacement characters.
void write_json(const std::string& path, const Json& value);

// `text` as a JSON string, quotes included, for those who write JSON piece by piece.
std::string json_quoted(std::string_view text);

}  // namespace tenon
