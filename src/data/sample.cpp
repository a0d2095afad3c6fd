// Looking up fields and tensors by name.
#include "data/sample.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace tenon::data {

namespace {

constexpr std::array<std::string_view, 5> kRoles{"value", "image", "mask", "boxes", "keypoints"};

// The entry called `name`, or an error that names all there are.
template <class List>
auto& find(List& list, std::string_view name, std::string_view what) {
  for (auto& entry : list)
    if (entry.name == name) return entry;
  std::vector<std::string_view> names;
  for (const auto& entry : list) names.push_back(entry.name);
  fail(ErrorKind::usage, "sample: no {} is called '{}'{}", what, name,
       text::suggestion(name, names));
}

template <class List>
bool contains(const List& list, std::string_view name) {
  return std::any_of(list.begin(), list.end(),
                     [&](const auto& entry) { return entry.name == name; });
}

}  // namespace

std::string_view name(Role role) { return kRoles[static_cast<size_t>(role)]; }

Role parse_role(std::string_view word) {
  for (size_t i = 0; i < kRoles.size(); ++i)
    if (kRoles[i] == word) return static_cast<Role>(i);
  fail(ErrorKind::usage, "role: there is no '{}'{}", word, text::suggestion(word, kRoles));
}

bool Field::is_fixed() const {
  return std::find(shape.begin(), shape.end(), kVaries) == shape.end();
}

std::string Field::str() const {
  std::vector<std::string> sizes;
  for (const int64_t size : shape) sizes.push_back(size == kVaries ? "?" : std::to_string(size));
  return fmt::format("{}: {} [{}]", name, tenon::name(type), text::join(sizes, ", "));
}

bool Schema::has(std::string_view name) const { return contains(fields_, name); }
const Field& Schema::operator[](std::string_view name) const {
  return find(fields_, name, "field");
}
Field& Schema::operator[](std::string_view name) { return find(fields_, name, "field"); }

bool Schema::is_fixed() const {
  return std::all_of(begin(), end(), [](const Field& field) { return field.is_fixed(); });
}

std::string Schema::str() const {
  std::vector<std::string> fields;
  for (const Field& field : fields_) fields.push_back(field.str());
  return text::join(fields, ", ");
}

bool Sample::has(std::string_view name) const { return contains(entries_, name); }
const Tensor& Sample::operator[](std::string_view name) const {
  return find(entries_, name, "tensor").value;
}

void Sample::set(std::string_view name, Tensor value) {
  for (Entry& entry : entries_) {
    if (entry.name != name) continue;
    entry.value = std::move(value);
    return;
  }
  entries_.push_back({std::string(name), std::move(value)});
}

}  // namespace tenon::data
