// Drawing tensors for samples.
#include "ops/sample_inputs.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>

#include "base/random.h"
#include "tensor/convert.h"

namespace tenon {

namespace {

// The type of an argument: its own, the leading variable's, or the variable's most usual one.
DType usual(TypeSet set) {
  for (DType type :
       {DType::f32, DType::i64, DType::i32, DType::boolean, DType::u8, DType::string, DType::f64})
    if (set.has(type)) return type;
  for (int i = 1; i < kDTypeCount; ++i)
    if (set.has(static_cast<DType>(i))) return static_cast<DType>(i);
  return DType::undefined;
}

const Port* port_of(const OpDef& op, size_t i) {
  if (op.inputs.size() == 0) return nullptr;
  return &op.inputs[std::min(i, op.inputs.size() - 1)];
}

bool drawn(const Arg& arg) {
  return !arg.absent && !arg.fixed.defined() && arg.dtype == DType::undefined;
}

// The first type variable that some drawn argument has.
const TypeVar* leading_variable(const OpDef& op, const std::vector<Arg>& args) {
  for (size_t i = 0; i < args.size(); ++i)
    if (drawn(args[i])) return op.find_type(port_of(op, i)->type_var);
  return nullptr;
}

Tensor draw(const Arg& arg, DType type, Generator& random) {
  Tensor tensor = Tensor::empty(arg.shape, DType::f64);
  auto* values = tensor.data<double>();
  const int64_t count = tensor.numel();
  const bool whole = !is_float(type);
  double low = arg.low, high = arg.high;
  if (is_unsigned_int(type)) low = std::max(low, 0.0), high = std::max(high, low + 1);
  for (int64_t i = 0; i < count; ++i) {
    if (arg.distinct)
      values[i] =
          static_cast<double>(i - (is_unsigned_int(type) ? 0 : count / 2)) * (whole ? 1 : 0.1) +
          (whole ? 0 : 0.03);
    else
      values[i] = whole ? std::floor(low + random.uniform() * (high - low + 1))
                        : low + (high - low) * to_unit_float(random.next_u32());
    if (type == DType::boolean) values[i] = static_cast<double>(random.below(2));
  }
  if (arg.distinct)
    for (int64_t i = count - 1; i > 0; --i)
      std::swap(values[i], values[random.below(static_cast<uint64_t>(i) + 1)]);
  if (type == DType::string) {
    std::vector<std::string> words;
    for (int64_t i = 0; i < count; ++i) words.push_back("w" + std::to_string(random.below(5)));
    return Tensor::strings(words, arg.shape);
  }
  Tensor out = Tensor::empty(arg.shape, type);
  out.copy_from(tensor);
  return out;
}

}  // namespace

const Samples& samples_of(const OpDef& op) {
  static std::mutex mutex;
  static std::map<const OpDef*, Samples> made;
  const std::scoped_lock lock(mutex);
  const auto [at, is_new] = made.try_emplace(&op);
  if (is_new) op.samples(at->second);
  return at->second;
}

TensorList make_inputs(const OpDef& op, const std::vector<Arg>& args, DType leading,
                       uint64_t seed) {
  Generator random(seed);
  const TypeVar* lead = leading_variable(op, args);
  TensorList inputs;
  for (size_t i = 0; i < args.size(); ++i) {
    const Arg& arg = args[i];
    if (arg.absent) {
      inputs.emplace_back();
    } else if (arg.fixed.defined()) {
      inputs.push_back(arg.fixed);
    } else {
      DType type = arg.dtype;
      const Port* port = port_of(op, i);
      const TypeVar* variable = port ? op.find_type(port->type_var) : nullptr;
      if (type == DType::undefined && variable) {
        // Fixed arguments of the same variable decide for the others.
        for (size_t k = 0; k < args.size(); ++k)
          if (args[k].fixed.defined() && port_of(op, k)->type_var == variable->name &&
              !port_of(op, k)->heterogeneous)
            type = args[k].fixed.dtype();
        if (type == DType::undefined)
          type = variable == lead && leading != DType::undefined ? leading : usual(variable->set);
      }
      inputs.push_back(draw(arg, type, random));
    }
  }
  return inputs;
}

std::vector<SampleCase> cases_of(const OpDef& op, TypeSet types) {
  std::vector<SampleCase> cases;
  const auto& good = samples_of(op).good();
  for (size_t s = 0; s < good.size(); ++s) {
    const Sample& sample = good[s];
    const TypeVar* lead = leading_variable(op, sample.inputs);
    std::vector<DType> tries;
    if (lead) {
      for (int i = 1; i < kDTypeCount; ++i) {
        const auto type = static_cast<DType>(i);
        if (type != DType::string && !convert_run(DType::f64, type)) continue;  // cannot be drawn
        if (lead->set.has(type) && sample.types.has(type) && types.has(type)) tries.push_back(type);
      }
      for (size_t k = 0; k < sample.inputs.size(); ++k) {
        const Arg& arg = sample.inputs[k];
        if (arg.fixed.defined() && port_of(op, k)->type_var == lead->name &&
            !port_of(op, k)->heterogeneous)
          std::erase_if(tries, [&](DType type) { return type != arg.fixed.dtype(); });
        if (!arg.fixed.defined() && arg.dtype != DType::undefined &&
            port_of(op, k)->type_var == lead->name && !port_of(op, k)->heterogeneous)
          std::erase_if(tries, [&](DType type) { return type != arg.dtype; });
      }
    } else {
      tries.push_back(DType::undefined);
    }
    for (DType type : tries) {
      SampleCase made{&op, s, &sample, type, make_inputs(op, sample.inputs, type, 1000 + s), {}};
      for (const Arg& arg : sample.inputs)
        made.random.push_back(!arg.absent && !arg.fixed.defined());
      cases.push_back(std::move(made));
    }
  }
  return cases;
}

std::string SampleCase::str() const {
  std::string text = fmt::format("{} sample {} [", op->name, index);
  for (size_t i = 0; i < inputs.size(); ++i)
    text += fmt::format("{}{}", i ? ", " : "",
                        inputs[i].defined()
                            ? fmt::format("{}{}", name(inputs[i].dtype()), inputs[i].shape().str())
                            : "none");
  return text + "] " + sample->attrs.str();
}

}  // namespace tenon
