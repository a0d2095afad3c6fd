// RegexFullMatch: which strings a regular expression matches from end to end.
#include <re2/re2.h>

#include "ops/grad.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"
#include "ops/text/catalog.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  const std::string_view pattern = ctx.s("pattern");
  const re2::RE2 compiled(re2::StringPiece(pattern.data(), pattern.size()), re2::RE2::Quiet);
  ctx.check(compiled.ok(), "pattern '{}' is not a regular expression of RE2 ({}); see {}", pattern,
            compiled.error(), "https://github.com/google/re2/wiki/Syntax");
  ctx.output(0, ctx.dims(0));
}

void samples(Samples& s) {
  s.add({arg::fixed(Tensor::strings({"www.google.com", "www.facebook.com", "www.bbc.co.uk"}, {3}))},
        {{"pattern", "www\\.[\\w.-]+\\.\\bcom\\b"}});
  s.add({arg::any({2, 3})}, {{"pattern", "w[0-2]"}});
  s.add({arg::fixed(Tensor::strings({"", "日本", "x\ny"}, {3, 1}))}, {{"pattern", ".{0,2}"}});
  s.add({arg::any({})}, {{"pattern", "w.*"}});
  s.add({arg::any({0})}, {{"pattern", "w"}});
  s.bad({arg::any({2})}, {{"pattern", "(a"}}, "pattern '(a' is not a regular expression of RE2");
  s.bad({arg::any({2})}, {}, "RegexFullMatch: attribute pattern is missing");
  s.bad({arg::typed({2}, DType::f32)}, {{"pattern", "a"}}, "input X is f32[2]; it takes string");
}

}  // namespace

constinit const OpDef RegexFullMatch{
    .name = "RegexFullMatch",
    .doc = "True for each string that `pattern`, a regular expression of RE2, matches as a whole.",
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", kString}, {"T2", kBool}},
    .attrs = {required("pattern", AttrType::s)},
    .infer = infer,
    .expand = primitive,
    .grad = not_differentiable("its result is a truth value"),
    .onnx = {.since = 20},
    .samples = samples,
};

}  // namespace tenon::op
