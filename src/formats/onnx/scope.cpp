#include "formats/onnx/scope.h"

#include <algorithm>

#include "base/text.h"

namespace tenon::formats {

const Tensor* Scope::look_up(const std::string& name) {
  const auto found = values_.find(name);
  if (found != values_.end()) return &found->second;
  const Tensor* around = outer ? outer->look_up(name) : nullptr;
  if (!around) return nullptr;
  Tensor inner = *around;
  if (inner.defined() && inner.is_symbolic()) {
    TensorType type = outer->recorder().type_of(inner);
    type.constant = Tensor();
    inner = recorder().input(name, std::move(type));
    captures.push_back({name, *around});
  }
  return &values_.emplace(name, std::move(inner)).first->second;
}

const Tensor& Scope::find(const std::string& name, std::string_view reader) {
  if (const Tensor* found = look_up(name)) return *found;
  std::vector<std::string_view> names;
  for (const Scope* scope = this; scope; scope = scope->outer)
    for (const auto& [known, tensor] : scope->values_) names.push_back(known);
  std::ranges::sort(names);
  const std::string near = text::did_you_mean(name, names);
  fail(ErrorKind::data, "{} of {} reads {}, which nothing makes; {}", reader, where_,
       text::quoted(name),
       near.empty() ? "the file is damaged" : fmt::format("did you mean {}?", text::quoted(near)));
}

void Scope::name_value(const Tensor& tensor, const std::string& name) {
  const graph::ValueId id = recorder().value_of(tensor, name);
  if (recording_->named.insert(id).second) recorder().graph().rename(id, name);
}

}  // namespace tenon::formats
