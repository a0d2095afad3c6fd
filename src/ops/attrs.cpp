// Attribute lists: sorted, shared, hashed once.
#include "ops/attrs.h"

#include <algorithm>
#include <functional>

namespace tenon {

namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2);
  return hash * 0xff51afd7ed558ccdULL;
}

template <class T>
uint64_t hash_of(const T& value) {
  return std::hash<T>{}(value);
}

uint64_t hash_of(const AttrValue& value) {
  return std::visit(
      []<class T>(const T& v) -> uint64_t {
        if constexpr (std::is_same_v<T, Tensor>) {
          return v.defined() ? static_cast<uint64_t>(v.numel()) : 0;
        } else if constexpr (std::is_same_v<T, std::shared_ptr<const Subgraph>>) {
          return std::hash<const void*>{}(v.get());
        } else if constexpr (requires { v.begin(); } && !std::is_same_v<T, std::string>) {
          uint64_t hash = v.size();
          for (const auto& item : v) hash = mix(hash, hash_of(item));
          return hash;
        } else {
          return hash_of(v);
        }
      },
      value);
}

bool same_tensor(const Tensor& a, const Tensor& b) {
  if (a.same_as(b)) return true;
  if (!a.defined() || !b.defined() || a.dtype() != b.dtype() || a.shape() != b.shape())
    return false;
  if (a.dtype() == DType::string) return a.to_vector<std::string>() == b.to_vector<std::string>();
  const Tensor left = a.contiguous(), right = b.contiguous();
  const auto* l = static_cast<const char*>(left.raw());
  return std::equal(l, l + left.bytes(), static_cast<const char*>(right.raw()));
}

}  // namespace

Attr::Attr(std::string_view n, AttrValue v) : name(n), value(std::move(v)) {}
Attr::Attr(std::string_view n, int v) : name(n), value(int64_t{v}) {}
Attr::Attr(std::string_view n, int64_t v) : name(n), value(v) {}
Attr::Attr(std::string_view n, double v) : name(n), value(v) {}
Attr::Attr(std::string_view n, bool v) : name(n), value(int64_t{v}) {}
Attr::Attr(std::string_view n, float v) : name(n), value(double{v}) {}
Attr::Attr(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
Attr::Attr(std::string_view n, std::initializer_list<int64_t> v) : name(n), value(std::vector(v)) {}
Attr::Attr(std::string_view n, const Shape& v) : name(n), value(v.vector()) {}
Attr::Attr(const Attr& other) = default;
Attr::Attr(Attr&& other) noexcept = default;
Attr& Attr::operator=(const Attr& other) = default;
Attr& Attr::operator=(Attr&& other) noexcept = default;
Attr::~Attr() = default;

bool Attr::operator==(const Attr& other) const {
  if (name != other.name || value.index() != other.value.index()) return false;
  if (const auto* tensor = std::get_if<Tensor>(&value))
    return same_tensor(*tensor, std::get<Tensor>(other.value));
  return std::visit(
      [&]<class T>(const T& v) {
        if constexpr (std::is_same_v<T, Tensor>)
          return false;
        else
          return v == std::get<T>(other.value);
      },
      value);
}

Attrs::Attrs(std::initializer_list<Attr> list) : Attrs(std::vector<Attr>(list)) {}

Attrs::Attrs(std::vector<Attr> list) {
  if (list.empty()) return;
  std::sort(list.begin(), list.end(), [](const Attr& a, const Attr& b) { return a.name < b.name; });
  auto data = std::make_shared<Data>();
  for (size_t i = 0; i < list.size(); ++i) {
    TENON_CHECK(i == 0 || list[i - 1].name != list[i].name, usage,
                "attribute '{}' is given twice; give it once", list[i].name);
    data->hash = mix(mix(data->hash, hash_of(list[i].name)), hash_of(list[i].value));
  }
  data->list = std::move(list);
  data_ = std::move(data);
}

const std::vector<Attr>& Attrs::list() const {
  static const std::vector<Attr> empty;
  return data_ ? data_->list : empty;
}

const AttrValue* Attrs::find(std::string_view name) const {
  if (!data_) return nullptr;
  for (const Attr& attr : data_->list)
    if (attr.name == name) return &attr.value;
  return nullptr;
}

bool Attrs::operator==(const Attrs& other) const {
  if (data_ == other.data_) return true;
  return hash() == other.hash() && list() == other.list();
}

Attrs Attrs::with(Attr attr) const {
  std::vector<Attr> copy = without(attr.name).list();
  copy.push_back(std::move(attr));
  return Attrs(std::move(copy));
}

Attrs Attrs::without(std::string_view name) const {
  std::vector<Attr> copy = list();
  std::erase_if(copy, [&](const Attr& attr) { return attr.name == name; });
  return Attrs(std::move(copy));
}

namespace {

std::string text_of(const AttrValue& value);

template <class T>
std::string list_text(const std::vector<T>& items) {
  std::string text = "[";
  for (size_t i = 0; i < items.size(); ++i) {
    if (i == 8 && items.size() > 9) return text + fmt::format(", ... {} more]", items.size() - i);
    text += (i ? ", " : "") + text_of(AttrValue(items[i]));
  }
  return text + "]";
}

std::string text_of(const AttrValue& value) {
  return std::visit(
      []<class T>(const T& v) -> std::string {
        if constexpr (std::is_same_v<T, std::string>)
          return fmt::format("\"{}\"", v);
        else if constexpr (std::is_same_v<T, Tensor>)
          return v.defined() ? fmt::format("{}{}", name(v.dtype()), v.shape().str()) : "none";
        else if constexpr (std::is_same_v<T, std::shared_ptr<const Subgraph>>)
          return "{graph}";
        else if constexpr (requires { v.begin(); })
          return list_text(v);
        else
          return fmt::format("{}", v);
      },
      value);
}

}  // namespace

std::string Attrs::str() const {
  std::string text;
  for (const Attr& attr : list())
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", attr.name, text_of(attr.value));
  return text;
}

}  // namespace tenon
