// Preparing samples to see who takes them.
#include "cli/ops_coverage.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/progress.h"
#include "base/table.h"
#include "base/text.h"
#include "cli/op_facts.h"
#include "ops/catalog.h"
#include "ops/sample_inputs.h"
#include "runtime/dispatch.h"
#include "runtime/kernel.h"
#include "runtime/prepared_call.h"

namespace tenon::cli {

namespace {

// Whether nothing of the call runs on the reference backend.
bool runs_fast(const SampleCase& sample, const std::vector<const Tensor*>& inputs) {
  const NoGrad no_grad;
  const OpDef& op = *sample.op;
  if (!op.structural) {
    const auto call = prepare_call(op, inputs, sample.sample->attrs, sample.sample->outputs, {});
    if (call->how != PreparedCall::How::expansion) return !call->slow;
  }
  // Choices are noted when they are made, so none may have been made before.
  clear_kernel_cache();
  set_explain(true);
  take_choices();
  try {
    apply(op, inputs, sample.sample->attrs, sample.sample->outputs);
  } catch (...) {
    set_explain(false);
    throw;
  }
  set_explain(false);
  const std::vector<Choice> choices = take_choices();
  return std::ranges::none_of(
      choices, [](const Choice& choice) { return choice.kernel.starts_with("reference."); });
}

// The type a case stands for.
DType type_of(const SampleCase& sample) {
  if (sample.type != DType::undefined) return sample.type;
  for (const Tensor& input : sample.inputs)
    if (input.defined()) return input.dtype();
  return DType::undefined;
}

TypeSet one(DType type) { return types(type); }

// "floats, ints, bool": whole families by their names.
std::string shown(TypeSet set) {
  struct Family {
    std::string_view name;
    TypeSet types;
  };
  constexpr Family families[] = {
      {"floats", kFloats}, {"ints", kInts}, {"signed", kSignedInts}, {"unsigned", kUnsignedInts}};
  std::vector<std::string> words;
  for (const Family& family : families) {
    if ((set.bits & family.types.bits) != family.types.bits) continue;
    words.emplace_back(family.name);
    set = set - family.types;
  }
  if (set.bits) words.push_back(set.str());
  return words.empty() ? "-" : text::join(words, ", ");
}

constexpr std::string_view kFamilies =
    "floats: f16, bf16, f32, f64; ints: signed (i8 to i64) and unsigned (u8 to u64).";

struct Totals {
  size_t operators = 0, fast = 0, gradients = 0;
  void add(const Coverage& coverage) {
    ++operators;
    fast += coverage.is_fast();
    gradients += has_gradient(*coverage.op);
  }
};

std::vector<Coverage> coverage_of_all() {
  std::vector<Coverage> list;
  Progress progress("ops --coverage", op::all().size(), "operators");
  for (const OpDef* op : op::all()) {
    list.push_back(coverage_of(*op));
    progress.advance();
  }
  return list;
}

}  // namespace

DType Coverage::usual() const {
  const TypeSet all = fast | partly | slow;
  for (DType type : {DType::f32, DType::i64, DType::i32, DType::boolean, DType::u8, DType::i8})
    if (all.has(type)) return type;
  for (int i = 1; i < kDTypeCount; ++i)
    if (all.has(static_cast<DType>(i))) return static_cast<DType>(i);
  return DType::undefined;
}

std::string Coverage::cpu() const {
  if (!kernels_of(*op, Backend::cpu).empty()) return "kernel";
  if (!fast.bits && !partly.bits) return "-";
  if (op->structural) return "in place";
  return op->view ? "view" : "expansion";
}

std::string Coverage::reference() const {
  if (!kernels_of(*op, Backend::reference).empty()) return "kernel";
  if (op->structural) return "in place";
  return op->expand.fn ? "expansion" : "-";
}

Coverage coverage_of(const OpDef& op) {
  Coverage coverage;
  coverage.op = &op;
  TypeSet some_fast, some_slow;
  for (const SampleCase& sample : cases_of(op)) {
    std::vector<const Tensor*> inputs;
    for (const Tensor& input : sample.inputs) inputs.push_back(&input);
    const TypeSet type = one(type_of(sample));
    try {
      (runs_fast(sample, inputs) ? some_fast : some_slow).bits |= type.bits;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::bug) throw;
      some_slow.bits |= type.bits;
    }
  }
  coverage.fast = some_fast - some_slow;
  coverage.slow = some_slow - some_fast;
  coverage.partly = {some_fast.bits & some_slow.bits};
  return coverage;
}

void print_coverage_table() {
  Table table({"operator", "reference", "cpu", "gradient", "versions", "fast", "partly", "slow"});
  Totals totals;
  for (const Coverage& coverage : coverage_of_all()) {
    totals.add(coverage);
    table.row({label_of(*coverage.op), coverage.reference(), coverage.cpu(),
               has_gradient(*coverage.op) ? "yes" : "no", versions_of(*coverage.op),
               shown(coverage.fast), shown(coverage.partly), shown(coverage.slow)});
  }
  table.print();
  std::printf(
      "\n%s\n%zu operators, %zu differentiable, %zu run their usual type without the reference "
      "backend\n",
      kFamilies.data(), totals.operators, totals.gradients, totals.fast);
}

void print_coverage_markdown() {
  std::printf(
      "# Coverage\n\nPrinted by `tenon ops --coverage --markdown`. Each operator's samples are "
      "prepared in every type: `fast` types run without\nthe reference backend, `partly` those of "
      "which some samples need it, `slow` those of which all do.\n%s\n\n"
      "| operator | reference | cpu | gradient | versions | fast | partly | slow |\n"
      "|---|---|---|---|---|---|---|---|\n",
      kFamilies.data());
  for (const Coverage& coverage : coverage_of_all())
    std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", label_of(*coverage.op).c_str(),
                coverage.reference().c_str(), coverage.cpu().c_str(),
                has_gradient(*coverage.op) ? "yes" : "no", versions_of(*coverage.op).c_str(),
                shown(coverage.fast).c_str(), shown(coverage.partly).c_str(),
                shown(coverage.slow).c_str());
}

Json coverage_json() {
  const auto names = [](TypeSet set) {
    Json list = Json::array();
    for (int i = 1; i < kDTypeCount; ++i)
      if (set.has(static_cast<DType>(i))) list.push_back(name(static_cast<DType>(i)));
    return list;
  };
  Json list = Json::array();
  for (const Coverage& coverage : coverage_of_all()) {
    const OpDef& op = *coverage.op;
    list.push_back({{"name", op.name},
                    {"domain", domain_of(op)},
                    {"reference", coverage.reference()},
                    {"cpu", coverage.cpu()},
                    {"gradient", has_gradient(op)},
                    {"gradient_reason", std::string(op.grad.reason)},
                    {"onnx_versions", versions_of(op)},
                    {"fast", names(coverage.fast)},
                    {"partly", names(coverage.partly)},
                    {"slow", names(coverage.slow)}});
  }
  return list;
}

}  // namespace tenon::cli
