// Functions that a model defines, and operators that nobody defines.
#include "formats/onnx/functions.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "base/file.h"
#include "formats/onnx/testing.h"

namespace tenon::formats::test {

namespace {

TEST(OnnxFunctions, WritesFunctionsOut) {
  Model model;
  model.input("x", {"2"}).output("y");
  auto& domain = *model.proto.add_opset_import();
  domain.set_domain("mine");
  domain.set_version(1);
  auto& function = *model.proto.add_functions();
  function.set_name("Leaky");
  function.set_domain("mine");
  function.add_input("a");
  function.add_output("r");
  function.add_attribute("slope");
  function.add_opset_import()->set_version(17);
  auto& body = Model::fill(*function.add_node(), "LeakyRelu", {"a"}, {"r"});
  auto& reference = *body.add_attribute();
  reference.set_name("alpha");
  reference.set_ref_attr_name("slope");
  reference.set_type(AttributeProto::FLOAT);
  for (const char* output : {"t", "y"}) {
    auto& call = model.node("Leaky", {output == std::string("t") ? "x" : "t"}, {output});
    call.set_domain("mine");
    auto& slope = *call.add_attribute();
    slope.set_name("slope");
    slope.set_type(AttributeProto::FLOAT);
    slope.set_f(0.5F);
  }
  EXPECT_EQ(run(model.import(), {Tensor::from<float>({-4, 4}, {2})}), (std::vector<double>{-1, 4}));

  Model::fill(*function.add_node(), "Leaky", {"a"}, {"again"}).set_domain("mine");
  model.expect_error(ErrorKind::unsupported, "more than 32 deep");
}

// What is newer than the schema that this is compiled with stands in unknown fields.
TEST(OnnxFunctions, TellsOverloadsOfFunctionsApart) {
  Model model;
  model.input("x", {"2"}).output("y");
  const auto function = [&](const std::string& overload, const std::string& op) {
    auto& added = *model.proto.add_functions();
    added.set_name("F");
    added.set_domain("mine");
    added.add_input("a");
    added.add_output("r");
    added.add_opset_import()->set_version(17);
    Model::fill(*added.add_node(), op, {"a"}, {"r"});
    if (!overload.empty()) added.mutable_unknown_fields()->AddLengthDelimited(13, overload);
  };
  function("", "Neg");
  function("abs", "Abs");
  auto& call = model.node("F", {"x"}, {"y"});
  call.set_domain("mine");
  const TensorList x{Tensor::from<float>({-4, 4}, {2})};
  EXPECT_EQ(run(model.import(), x), (std::vector<double>{4, -4}));
  call.mutable_unknown_fields()->AddLengthDelimited(8, "abs");
  EXPECT_EQ(run(model.import(), x), (std::vector<double>{4, 4}));
}

TEST(OnnxFunctions, GivesFunctionsTheirDefaultsAndOpsets) {
  Model model(17);
  model.input("x", {"2"}).output("y");
  AttributeProto fallback;
  fallback.set_name("slope");
  fallback.set_type(AttributeProto::FLOAT);
  fallback.set_f(0.25F);
  const std::string bytes = fallback.SerializeAsString();
  const auto function = [&](const std::string& name, int opset) -> ::onnx::FunctionProto& {
    auto& added = *model.proto.add_functions();
    added.set_name(name);
    added.set_domain("mine");
    added.add_input("a");
    added.add_output("r");
    added.add_opset_import()->set_version(opset);
    return added;
  };
  auto& leaky = function("Leaky", 17);
  leaky.mutable_unknown_fields()->AddLengthDelimited(11, bytes);
  const auto refer = [](NodeProto& node, const std::string& name, const std::string& to) {
    auto& reference = *node.add_attribute();
    reference.set_name(name);
    reference.set_ref_attr_name(to);
    reference.set_type(AttributeProto::FLOAT);
  };
  refer(Model::fill(*leaky.add_node(), "LeakyRelu", {"a"}, {"r"}), "alpha", "slope");
  // Hands its own attribute on, and uses Add as it was before NumPy's broadcasting.
  auto& outer = function("Outer", 6);
  outer.add_attribute("outer_slope");
  auto& inner = Model::fill(*outer.add_node(), "Leaky", {"a"}, {"t"});
  inner.set_domain("mine");
  refer(inner, "slope", "outer_slope");
  auto& add = Model::fill(*outer.add_node(), "Add", {"t", "t"}, {"r"});
  auto& broadcast = *add.add_attribute();
  broadcast.set_name("broadcast");
  broadcast.set_type(AttributeProto::INT);
  broadcast.set_i(0);
  auto& call = model.node("Outer", {"x"}, {"y"});
  call.set_domain("mine");
  const TensorList x{Tensor::from<float>({-4, 4}, {2})};
  EXPECT_EQ(run(model.import(), x), (std::vector<double>{-2, 8}));
  auto& slope = *call.add_attribute();
  slope.set_name("outer_slope");
  slope.set_type(AttributeProto::FLOAT);
  slope.set_f(0.5F);
  EXPECT_EQ(run(model.import(), x), (std::vector<double>{-4, 8}));
}

TEST(OnnxFunctions, NamesUnknownOperators) {
  Model model;
  model.input("x", {"2"}).output("y");
  model.node("Reluu", {"x"}, {"t"}, "act");
  model.node("Frobnicate", {"t"}, {"y"}).set_domain("my.domain");
  model.node("Frobnicate", {"t"}, {"z"}).set_domain("my.domain");
  for (
      const char* words :
      {"test.onnx: Tenon lacks 2 of its operators, which 3 nodes use; `tenon ops` lists",
       "operator 'Reluu' of domain ai.onnx (opset 17): 1 node, node act of test.onnx; did you mean "
       "Relu?",
       "operator 'Frobnicate' of domain my.domain (of no version): 2 nodes, node 1 (Frobnicate) of "
       "test.onnx"})
    model.expect_error(ErrorKind::unsupported, words);
  const TempDirectory folder;
  write_file(folder / "m.onnx", model.proto.SerializeAsString());
  EXPECT_EQ(import_obstacles(folder / "m.onnx"),
            (std::vector<std::string>{"operator Reluu", "operator my.domain.Frobnicate"}));
}

TEST(OnnxFunctions, NamesTheOneUnknownOperator) {
  Model model(12);
  model.input("x", {"2"}).output("y");
  model.node("Relu", {"x"}, {"y"}, "act").set_domain("elsewhere");
  model.expect_error(ErrorKind::unsupported,
                     "node act of test.onnx: Tenon has no operator 'Relu' of domain elsewhere (of "
                     "no version); there is Relu of domain ai.onnx");
  auto& node = *model.proto.mutable_graph()->mutable_node(0);
  node.set_domain("");
  node.set_op_type("MatMull");
  model.node("MatMull", {"x"}, {"z"});
  model.expect_error(ErrorKind::unsupported,
                     "Tenon has no operator 'MatMull' of domain ai.onnx (opset 12), which 2 nodes "
                     "use; did you mean MatMul?");
}

TEST(OnnxFunctions, LooksForUnknownOperatorsWhereTheGraphLeads) {
  Model model;
  model.input("x", {"2"}).output("y");
  model.node("Outer", {"x"}, {"y"}).set_domain("mine");
  const auto function = [&](const std::string& name, const std::string& calls, const char* domain) {
    auto& added = *model.proto.add_functions();
    added.set_name(name);
    added.set_domain("mine");
    added.add_input("a");
    added.add_output("r");
    added.add_opset_import()->set_version(15);
    Model::fill(*added.add_node(), calls, {"a"}, {"r"}, "n").set_domain(domain);
  };
  function("Outer", "Inner", "mine");
  function("NobodyCallsMe", "Nothing", "");
  function("Inner", "Neg", "");
  EXPECT_EQ(run(model.import(), {Tensor::from<float>({1, -2}, {2})}), (std::vector<double>{-1, 2}));
  model.proto.mutable_functions(2)->mutable_node(0)->set_op_type("Negg");
  model.expect_error(
      ErrorKind::unsupported,
      "node n of function Inner of test.onnx: Tenon has no operator 'Negg' of domain "
      "ai.onnx (opset 15); did you mean Neg?");
  function("Inner", "Neg", "");
  model.expect_error(ErrorKind::data, "function 'Inner' of domain 'mine' is defined twice");
}

}  // namespace

}  // namespace tenon::formats::test
