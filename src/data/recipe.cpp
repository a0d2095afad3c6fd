// Looks types up in the catalogues.
#include "data/recipe.h"

#include <array>

#include "base/text.h"
#include "data/decorators.h"
#include "data/sources/catalog.h"
#include "data/transforms/catalog.h"

namespace tenon::data {

namespace {

constexpr std::array kSourceKeys{
    Key{"shuffle_once",
        "seed of one fixed random order, for slicing data that lie sorted by class"},
    Key{"slice", "[first, end]: these items only"},
    Key{"take", "the first so many items only"},
    Key{"cache", "true to keep items in memory once read, or how much memory to use (2GB)"},
};

template <class Def>
const Def& find(std::span<const Def* const> all, const std::string& type, std::string_view what,
                const Config& at) {
  std::vector<std::string_view> names;
  for (const Def* def : all) {
    if (def->name == type) return *def;
    names.push_back(def->name);
  }
  at.fail(fmt::format("no {} is called '{}'{}", what, type, text::suggestion(type, names)));
}

// Errors of the parts a value is handed to, with the place of the value.
template <class Body>
auto located(const Config& at, std::string_view what, Body body) {
  return with_context([&] { return fmt::format("while making the {} of {}", what, at.where()); },
                      body);
}

SourcePtr cached(SourcePtr source, const Config& config) {
  const auto text = config.as<std::string>();
  if (text == "false") return source;
  if (text == "true") return cache(std::move(source));
  const auto bytes = text::parse_bytes(text);
  if (!bytes || *bytes > static_cast<uint64_t>(INT64_MAX))
    config.fail(fmt::format("cache is '{}'; use true, false or a size such as 2GB", text));
  return cache(std::move(source), static_cast<int64_t>(*bytes));
}

}  // namespace

std::span<const Key> source_keys() { return kSourceKeys; }

SourcePtr make_source(const Config& config) {
  const auto type = config.get<std::string>("type");
  const SourceDef& def = find(sources::all(), type, "type of source", config.at("type"));
  return located(config, "source", [&] {
    SourcePtr source = def.make(config);
    if (config.has("shuffle_once"))
      source = shuffle_once(std::move(source), config.get<uint64_t>("shuffle_once"));
    if (const Config range = config.section("slice")) {
      const auto ends = range.as<std::vector<int64_t>>();
      if (ends.size() != 2) range.fail("slice takes two numbers; write [first, end]");
      source = slice(std::move(source), ends[0], ends[1]);
    }
    if (config.has("take")) source = take(std::move(source), config.get<int64_t>("take"));
    if (const Config kept = config.section("cache")) source = cached(std::move(source), kept);
    return source;
  });
}

std::vector<TransformPtr> make_transforms(const Config& config) {
  std::vector<TransformPtr> list;
  for (const Config& item : config.items()) {
    const bool bare = item.is_scalar();
    const auto type = bare ? item.as<std::string>() : item.get<std::string>("type");
    const TransformDef& def =
        find(transforms::all(), type, "type of transform", bare ? item : item.at("type"));
    list.push_back(located(item, "transform", [&] { return def.make(bare ? Config() : item); }));
  }
  return list;
}

}  // namespace tenon::data
