#include "base/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace tenon {

namespace {

struct Search {
  uintptr_t code = 0;  // lies in the object whose notes are read
  std::string id;
};

bool contains(const dl_phdr_info& object, uintptr_t address) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object.dlpi_phdr[i];
    const uintptr_t begin = object.dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && address >= begin && address < begin + part.p_memsz) return true;
  }
  return false;
}

size_t padded(size_t bytes) { return (bytes + 3) / 4 * 4; }

// A note is a header, a name and a content, each padded to 4 bytes (elf(5)).
std::string id_in(const std::byte* at, size_t bytes) {
  ElfW(Nhdr) note;
  while (bytes >= sizeof note) {
    std::memcpy(&note, at, sizeof note);
    const size_t content = sizeof note + padded(note.n_namesz);
    const size_t whole = content + padded(note.n_descsz);
    if (whole > bytes) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
        std::memcmp(at + sizeof note, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
      std::string id;
      for (size_t i = 0; i < note.n_descsz; ++i)
        id += fmt::format("{:02x}", static_cast<unsigned>(at[content + i]));
      return id;
    }
    at += whole, bytes -= whole;
  }
  return "";
}

int visit(dl_phdr_info* object, size_t, void* data) {
  Search& search = *static_cast<Search*>(data);
  if (!contains(*object, search.code)) return 0;
  for (int i = 0; i < object->dlpi_phnum && search.id.empty(); ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type == PT_NOTE)
      search.id =
          id_in(reinterpret_cast<const std::byte*>(object->dlpi_addr + part.p_vaddr), part.p_memsz);
  }
  return 1;
}

}  // namespace

const std::string& library_build_id() {
  static const std::string id = [] {
    Search search;
    search.code = reinterpret_cast<uintptr_t>(&visit);
    ::dl_iterate_phdr(visit, &search);
    return search.id;
  }();
  return id;
}

}  // namespace tenon
