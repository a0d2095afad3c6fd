// Resize: a tensor sampled anew on a finer or coarser lattice, along any of its axes.
#include "ops/grad.h"
#include "ops/image/catalog.h"
#include "ops/image/resize_rules.h"
#include "ops/onnx_node.h"
#include "ops/samples.h"

namespace tenon::op {

namespace {

void infer(InferContext& ctx) {
  ctx.output(0, resize_rules::output(ctx, ctx.dims(0), ctx.dtype(0), 1));
}

TensorList grad(const GradContext& ctx) {
  TensorList inputs{ctx.grad(), ctx.shape_of(0)};
  for (size_t i = 1; i < ctx.input_count(); ++i) inputs.push_back(ctx.input(i));
  TensorList out = ctx.none();
  if (ctx.needs(0)) out[0] = ResizeGrad.all(inputs, ctx.attrs.without("extrapolation_value"))[0];
  return out;
}

// Opset 10 has X and scales alone, and reads without shifting pixels.
TensorList from_scales(const OnnxNode& node) {
  return {Resize(node.inputs[0], Tensor(), node.has_input(1) ? node.inputs[1] : Tensor(),
                 node.attrs.with({"coordinate_transformation_mode", "asymmetric"})
                     .with({"nearest_mode", "floor"}))};
}

// Numbers for named axes as numbers for all axes, the others' being `rest`.
template <class T>
std::vector<T> for_all_axes(const std::vector<T>& named, const std::vector<int64_t>& axes,
                            std::vector<T> rest) {
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t axis = normalize_axis(axes[i], rest.size(), "Resize");
    rest[static_cast<size_t>(axis)] = named[i];
  }
  return rest;
}

// Before opset 18 the lists are those of all axes.
void name_all_axes(OnnxNode& node) {
  const std::vector<int64_t> axes = std::get<std::vector<int64_t>>(*node.attrs.find("axes"));
  const size_t rank = node.inputs[0].rank();
  TENON_CHECK(rank > 0, unsupported,
              "Resize '{}': the rank of X is not known, and opset {} has no axes; export at opset "
              "18 or newer",
              node.name, node.opset);
  const auto constant = [&](size_t i) {
    TENON_CHECK(!node.inputs[i].is_symbolic(), unsupported,
                "Resize '{}': {} of some axes is computed, and opset {} has no axes; export at "
                "opset 18 or newer",
                node.name, Resize.inputs[i].name, node.opset);
    return node.inputs[i].numel() > 0;
  };
  const auto wide = [](const std::vector<float>& list) {
    return Tensor::from<float>(list, {static_cast<int64_t>(list.size())});
  };
  if (node.has_input(1) && constant(1)) {
    std::vector<float> roi = node.inputs[1].to(DType::f32).to_vector<float>(), ends;
    ends.assign(roi.begin() + static_cast<std::ptrdiff_t>(axes.size()), roi.end());
    std::vector<float> all = for_all_axes(roi, axes, std::vector<float>(rank, 0));
    for (const float end : for_all_axes(ends, axes, std::vector<float>(rank, 1)))
      all.push_back(end);
    node.inputs[1] = wide(all).to(node.inputs[1].dtype());
  }
  if (node.has_input(2) && constant(2))
    node.inputs[2] =
        wide(for_all_axes(node.inputs[2].to_vector<float>(), axes, std::vector<float>(rank, 1)));
  if (node.has_input(3) && constant(3)) {
    const auto sizes = to_shape(node.inputs[0].dims());
    TENON_CHECK(sizes, unsupported,
                "Resize '{}': X has symbolic sizes, and opset {} needs the sizes of all axes; "
                "export at opset 18 or newer",
                node.name, node.opset);
    node.inputs[3] =
        Tensor::ints(for_all_axes(node.inputs[3].to_vector<int64_t>(), axes, sizes->vector()));
  }
  node.attrs = node.attrs.without("axes");
}

// Opsets 11 and 12 need an input for roi and scales; before 18 there are fewer attributes.
void lowered(OnnxNode& node) {
  const Call call{Resize, node.attrs};
  const auto refuse = [&](bool wrong, std::string_view what, int since) {
    TENON_CHECK(!wrong, unsupported,
                "Resize '{}': opset {} cannot say {}; export at opset {} or newer", node.name,
                node.opset, what, since);
  };
  refuse(call.s("coordinate_transformation_mode") == "half_pixel_symmetric", "half_pixel_symmetric",
         19);
  if (node.opset >= 18) return;
  refuse(call.i("antialias") != 0, "antialias", 18);
  refuse(call.s("keep_aspect_ratio_policy") != "stretch", "keep_aspect_ratio_policy", 18);
  refuse(node.opset < 11, "coordinates other than asymmetric ones", 11);
  if (call.has("axes")) name_all_axes(node);
  node.attrs = node.attrs.without("antialias").without("keep_aspect_ratio_policy");
  if (node.opset >= 13) return;
  for (const size_t i : {size_t{1}, size_t{2}}) {
    if (node.has_input(i)) continue;
    node.inputs.resize(std::max(node.inputs.size(), i + 1));
    node.inputs[i] = Tensor::empty({0}, DType::f32);
  }
}

Arg floats(std::initializer_list<float> values) {
  return arg::fixed(Tensor::from<float>(values, {static_cast<int64_t>(values.size())}));
}

void samples(Samples& s) {
  const Arg image = arg::any({1, 2, 3, 4}), none = arg::none();
  const Arg twice = floats({1, 1, 2, 2}), part = floats({1, 1, 0.6F, 0.8F});
  s.add({image, none, twice});
  s.add({image, none, none, arg::ints({1, 2, 5, 3})}, {{"nearest_mode", "ceil"}});
  s.add({image, none, part},
        {{"nearest_mode", "floor"}, {"coordinate_transformation_mode", "asymmetric"}});
  s.add({image, none, none, arg::ints({7, 6})},
        {{"axes", {2, -1}},
         {"nearest_mode", "round_prefer_ceil"},
         {"coordinate_transformation_mode", "align_corners"}});
  s.add({image, none, none, arg::ints({6, 8})},
        {{"axes", {2, 3}},
         {"nearest_mode", "floor"},
         {"coordinate_transformation_mode", "tf_half_pixel_for_nn"}});
  s.add({arg::any({2, 3, 2, 2}), none, floats({1, 3, 2, 1})});
  s.add({arg::any({1, 1, 2, 9}), none, floats({1, 1, 4, 3})});
  s.add({arg::any({1, 2, 40, 3}), none, none, arg::ints({80, 5})}, {{"axes", {2, 3}}}).grad = false;

  for (const std::string mode : {"linear", "cubic"}) {
    // A whole number of every type: weights that are exact.
    s.add({image, none, twice}, {{"mode", mode}, {"coordinate_transformation_mode", "asymmetric"}})
        .types = kNumeric;
    const auto add = [&](std::vector<Arg> inputs, Attrs attrs) {
      s.add(inputs, attrs.with({"mode", mode})).types = kFloats;
    };
    add({image, none, part}, {});
    add({image, none, twice}, {{"coordinate_transformation_mode", "align_corners"}});
    add({image, none, none, arg::ints({1, 2, 1, 3})},
        {{"coordinate_transformation_mode", "pytorch_half_pixel"}});
    add({image, none, part}, {{"coordinate_transformation_mode", "half_pixel_symmetric"}});
    add({image, none, part}, {{"exclude_outside", 1}, {"cubic_coeff_a", -0.5}});
    add({image, none, part}, {{"antialias", 1}});
    add({image, none, none, arg::ints({2, 7})}, {{"antialias", 1}, {"axes", {3, 2}}});
    add({image, floats({0.4F, 0.6F, 0.6F, 1.2F}), none, arg::ints({3, 3})},
        {{"axes", {2, 3}},
         {"coordinate_transformation_mode", "tf_crop_and_resize"},
         {"extrapolation_value", 7.0}});
    add({arg::any({3, 2}), none, none, arg::ints({7, 6})},
        {{"keep_aspect_ratio_policy", "not_larger"}});
    add({arg::any({3, 2}), none, none, arg::ints({7, 6})},
        {{"keep_aspect_ratio_policy", "not_smaller"}});
    add({arg::any({2, 3, 4, 2}), none, floats({1, 2, 0.5F, 1})}, {});  // channels last
    add({arg::any({1, 3, 2, 9}), none, none, arg::ints({1, 5, 3, 9})}, {});
    add({arg::any({2, 1, 2, 3, 2}), none, floats({1, 1, 1.5F, 2, 1.5F})}, {});
    add({arg::any({5}), none, none, arg::ints({9})}, {});
    add({arg::any({2, 37}), none, none, arg::ints({2, 75})}, {});
  }
  s.add({arg::any({0, 3}), none, floats({2, 2})}, {{"mode", "linear"}}).types = kNumeric;

  s.bad({image}, {}, "scales and sizes are both absent; give one of them");
  s.bad({image, none, twice, arg::ints({1, 2, 6, 8})}, {}, "scales and sizes are both given");
  s.bad({image, none, floats({2, 2})}, {}, "scales has 2 numbers for 4 axes");
  s.bad({image, none, floats({1, 1, 0, 2})}, {}, "the scale of axis 2 is 0; it must be above 0");
  s.bad({image, none, none, arg::ints({1, 2, -3, 4})}, {},
        "the size of axis 2 is to be -3; use 0 to");
  s.bad({image, none, twice}, {{"antialias", 1}}, "antialias has no meaning in mode nearest");
  s.bad({image, none, twice}, {{"coordinate_transformation_mode", "tf_crop_and_resize"}},
        "but roi is absent");
  s.bad({image, none, twice}, {{"mode", "bilinear"}}, "use one of nearest, linear, cubic");
  s.bad({image, none, floats({2})}, {{"axes", {4}}}, "axis 4 is outside");
  s.bad({arg::typed({2}, DType::string), none, floats({2})}, {{"mode", "linear"}},
        "mode linear computes with numbers");
  s.bad({arg::any({0, 3}), none, none, arg::ints({2, 3})}, {}, "there is nothing to resize");
}

}  // namespace

constinit const OpDef Resize{
    .name = "Resize",
    .doc =
        "X on a finer or coarser lattice: each element of Y mixes those nearest to its place. "
        "Integers are rounded to nearest.",
    .inputs = {{"X", "T1"},
               optional_value("roi", "T2"),
               optional_value("scales", "S"),
               optional_value("sizes", "I")},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", kAnyType}, {"T2", kFloats}, {"S", kFloat32}, {"I", kInt64}},
    .attrs = {attr_i("antialias", 0), attr("axes", AttrType::ints),
              attr_s("coordinate_transformation_mode", "half_pixel",
                     "half_pixel|half_pixel_symmetric|pytorch_half_pixel|align_corners|asymmetric|"
                     "tf_half_pixel_for_nn|tf_crop_and_resize"),
              attr_f("cubic_coeff_a", -0.75), attr_i("exclude_outside", 0),
              attr_f("extrapolation_value", 0),
              attr_s("keep_aspect_ratio_policy", "stretch", "stretch|not_larger|not_smaller"),
              attr_s("mode", "nearest", "nearest|linear|cubic"),
              attr_s("nearest_mode", "round_prefer_floor",
                     "round_prefer_floor|round_prefer_ceil|floor|ceil")},
    .infer = infer,
    .expand = primitive,
    .grad = {grad, saves::input(1) | saves::input(2) | saves::input(3)},
    .onnx = {.since = 19, .older = {{10, from_scales}, {11, upgrade::as_is}}, .lower = lowered},
    .quant = QuantRole::passes,
    .samples = samples,
};

}  // namespace tenon::op
