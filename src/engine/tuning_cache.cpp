#include "engine/tuning_cache.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/version.h"

namespace tenon::engine {

namespace {

constexpr uint64_t kMaxBytes = 64 << 20;

}  // namespace

TuningCache TuningCache::of_user() {
  const std::string folder = user_cache_folder();
  if (folder.empty()) return TuningCache("");
  return TuningCache(
      fmt::format("{}/tuning-{}-{}.json", folder, slug_of(this_machine()), library_version()));
}

TuningChoices TuningCache::read() const {
  TuningChoices choices;
  if (path_.empty() || !exists(path_)) return choices;
  try {
    const Json json = read_json(path_, kMaxBytes);
    const Machine of{json.at("cpu"), json.at("vectors"), json.at("build")};
    if (of != machine_) return choices;
    for (const auto& [call, kernel] : json.at("choices").items())
      choices.emplace(call, kernel.get<std::string>());
  } catch (const std::exception& error) {  // of ours, or of the JSON library
    log_debug("the tuning cache is left aside: {}: {}", path_, error.what());
    choices.clear();
  }
  return choices;
}

void TuningCache::add(const TuningChoices& fresh) const {
  if (path_.empty() || fresh.empty()) return;
  TuningChoices choices = read();
  for (const auto& [call, kernel] : fresh)
    if (choices.size() < kMaxTuningChoices || choices.contains(call)) choices[call] = kernel;
  try {
    create_directories(std::filesystem::path(path_).parent_path().string());
    write_json(path_, {{"cpu", machine_.cpu},
                       {"vectors", machine_.vectors},
                       {"build", machine_.build},
                       {"choices", choices}});
  } catch (const std::exception& error) {
    log_debug("the tuning cache is not written: {}", error.what());
  }
}

}  // namespace tenon::engine
