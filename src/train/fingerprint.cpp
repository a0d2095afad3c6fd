#include "train/fingerprint.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"

namespace tenon::train {

namespace {

uint64_t hash_of_file(const std::string& path) {
  return hash64(MappedFile(path, MappedFile::Access::sequential).text());
}

// The program, and the library that this code is in when that is another file.
uint64_t hash_of_program() {
  uint64_t hash = hash_of_file("/proc/self/exe");
  Dl_info library{};
  if (dladdr(reinterpret_cast<void*>(&fingerprint), &library) != 0 && library.dli_fname &&
      exists(library.dli_fname))
    hash = hash_combine(hash, hash_of_file(library.dli_fname));
  return hash;
}

void add_files(const Config& value, uint64_t& hash) {
  if (value.is_map()) {
    for (const std::string& key : value.keys()) add_files(value.section(key), hash);
  } else if (value.is_list()) {
    for (const Config& item : value.items()) add_files(item, hash);
  } else if (value.is_scalar()) {
    struct stat facts {};
    if (stat(value.as<std::string>().c_str(), &facts) != 0) return;
    hash = hash_combine(hash, static_cast<uint64_t>(facts.st_size));
    hash = hash_combine(hash, static_cast<uint64_t>(facts.st_mtim.tv_sec));
    hash = hash_combine(hash, static_cast<uint64_t>(facts.st_mtim.tv_nsec));
  }
}

}  // namespace

std::string fingerprint(const Config& recipe) {
  uint64_t hash = hash_combine(hash64(recipe.dump()), hash_of_program());
  // A copy, since reading counts as asking for a key.
  add_files(Config::parse(recipe.dump(), recipe.file()).section("data"), hash);
  return fmt::format("{:016x}", hash);
}

}  // namespace tenon::train
