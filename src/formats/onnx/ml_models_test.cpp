// Whole models as exporters of scikit-learn write them, from a file through import and the
// interpreter: features to class probabilities by name, and words to a class.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "formats/onnx/backend_tests.h"
#include "formats/onnx/export.h"
#include "formats/onnx/import.h"
#include "graph/interpreter.h"
#include "runtime/dispatch.h"

namespace tenon::formats {

namespace {

using ::onnx::AttributeProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

class MlModels : public ::testing::Test {
 protected:
  MlModels() {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(17);
    auto& ml = *model_.add_opset_import();
    ml.set_domain("ai.onnx.ml");
    ml.set_version(3);
    model_.mutable_graph()->set_name("pipeline");
  }

  void input(const std::string& name, int type, const std::vector<std::string>& dims) {
    auto& value = *model_.mutable_graph()->add_input();
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    for (const std::string& dim : dims) {
      auto& size = *tensor.mutable_shape()->add_dim();
      if (std::isdigit(static_cast<unsigned char>(dim[0])))
        size.set_dim_value(std::stoll(dim));
      else
        size.set_dim_param(dim);
    }
  }
  void output(const std::string& name) { model_.mutable_graph()->add_output()->set_name(name); }
  NodeProto& node(const std::string& op, const std::vector<std::string>& inputs,
                  const std::vector<std::string>& outputs,
                  const std::string& domain = "ai.onnx.ml") {
    NodeProto& added = *model_.mutable_graph()->add_node();
    added.set_op_type(op);
    added.set_domain(domain);
    for (const std::string& name : inputs) added.add_input(name);
    for (const std::string& name : outputs) added.add_output(name);
    return added;
  }

  // From a file, as users do.
  graph::Graph import() const {
    const auto path = std::filesystem::temp_directory_path() /
                      ("tenon_ml_models_" + std::to_string(::getpid()) + ".onnx");
    std::ofstream(path, std::ios::binary) << model_.SerializeAsString();
    const graph::Graph graph = import_onnx(path.string());
    std::filesystem::remove(path);
    graph.verify();
    return graph;
  }

  ::onnx::ModelProto model_;
};

void set(NodeProto& node, const std::string& name, const std::vector<float>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::FLOATS);
  for (float value : values) attribute.add_floats(value);
}
void set_ints(NodeProto& node, const std::string& name, const std::vector<int64_t>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INTS);
  for (int64_t value : values) attribute.add_ints(value);
}
void set_int(NodeProto& node, const std::string& name, int64_t value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::INT);
  attribute.set_i(value);
}
void set_strings(NodeProto& node, const std::string& name, const std::vector<std::string>& values) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::STRINGS);
  for (const std::string& value : values) attribute.add_strings(value);
}
void set_string(NodeProto& node, const std::string& name, const std::string& value) {
  auto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(AttributeProto::STRING);
  attribute.set_s(value);
}

std::vector<Backend> backends() { return {Backend::reference, Backend::automatic}; }

// A forest of two trees over scaled features: each leaf gives the probability of "yes".
TEST_F(MlModels, ScaledFeaturesTreesAndNamedProbabilities) {
  input("features", TensorProto::FLOAT, {"batch", "2"});
  NodeProto& scaler = node("Scaler", {"features"}, {"scaled"});
  set(scaler, "offset", {10, -1});
  set(scaler, "scale", {0.5F, 2});
  NodeProto& trees = node("TreeEnsembleClassifier", {"scaled"}, {"label", "probabilities"});
  set_ints(trees, "nodes_treeids", {0, 0, 0, 1, 1, 1});
  set_ints(trees, "nodes_nodeids", {0, 1, 2, 0, 1, 2});
  set_ints(trees, "nodes_featureids", {0, 0, 0, 1, 0, 0});
  set_strings(trees, "nodes_modes", {"BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"});
  set(trees, "nodes_values", {0, 0, 0, 1, 0, 0});
  set_ints(trees, "nodes_truenodeids", {1, 0, 0, 1, 0, 0});
  set_ints(trees, "nodes_falsenodeids", {2, 0, 0, 2, 0, 0});
  set_ints(trees, "nodes_missing_value_tracks_true", {0, 0, 0, 1, 0, 0});
  set_ints(trees, "class_treeids", {0, 0, 1, 1});
  set_ints(trees, "class_nodeids", {1, 2, 1, 2});
  set_ints(trees, "class_ids", {0, 0, 0, 0});
  set(trees, "class_weights", {0.125F, 0.375F, 0.0625F, 0.5F});
  set_strings(trees, "classlabels_strings", {"no", "yes"});
  NodeProto& names = node("ZipMap", {"probabilities"}, {"by_name"});
  set_strings(names, "classlabels_strings", {"no", "yes"});
  output("label");
  output("by_name");

  const graph::Graph graph = import();
  const std::string bytes = export_onnx_bytes(graph);
  const graph::Graph again = import_onnx(std::as_bytes(std::span(bytes)), "again.onnx");
  EXPECT_EQ(graph.value(graph.outputs[0]).type.str(), "string[batch]");
  EXPECT_EQ(graph.value(graph.outputs[1]).type.str(), "sequence of map of f32[2]");
  // Scaled: (-1, 1), (1, 3), and a missing value in each column.
  const Tensor x = Tensor::from<float>({8, -0.5F, 12, 0.5F, NAN, 0.5F, 12, NAN}, {4, 2});
  for (const Backend backend : backends()) {
    const BackendScope scope(backend);
    const TensorList outputs = graph::Interpreter(graph).run({x});
    EXPECT_EQ(difference(graph::Interpreter(again).run({x})[1], outputs[1], {}), std::nullopt);
    EXPECT_EQ(outputs[0].to_vector<std::string>(),
              (std::vector<std::string>{"no", "yes", "yes", "no"}));
    ASSERT_EQ(outputs[1].numel(), 4);
    const std::vector<float> yes{0.1875F, 0.875F, 0.875F, 0.4375F};
    for (size_t row = 0; row < yes.size(); ++row) {
      const Tensor& map = outputs[1].elements()[row];
      ASSERT_EQ(map.dtype(), DType::map);
      EXPECT_EQ(map.elements()[0].to_vector<std::string>(),
                (std::vector<std::string>{"no", "yes"}));
      EXPECT_EQ(map.elements()[1].to_vector<float>(), (std::vector<float>{1 - yes[row], yes[row]}));
    }
  }
}

// Words in lower case without stop words, counted, and weighed.
TEST_F(MlModels, WordsCountsAndALinearClassifier) {
  input("words", TensorProto::STRING, {"1", "count"});
  NodeProto& normal = node("StringNormalizer", {"words"}, {"clean"}, "");
  set_string(normal, "case_change_action", "LOWER");
  set_int(normal, "is_case_sensitive", 0);
  set_strings(normal, "stopwords", {"the", "a"});
  NodeProto& counter = node("TfIdfVectorizer", {"clean"}, {"counts"}, "");
  set_string(counter, "mode", "TFIDF");
  set_int(counter, "min_gram_length", 1);
  set_int(counter, "max_gram_length", 2);
  set_int(counter, "max_skip_count", 0);
  set_ints(counter, "ngram_counts", {0, 3});
  set_ints(counter, "ngram_indexes", {0, 1, 2, 3});
  set_strings(counter, "pool_strings", {"good", "bad", "fürchterlich", "not", "bad"});
  set(counter, "weights", {1, 1, 2, 4});
  NodeProto& linear = node("LinearClassifier", {"counts"}, {"label", "scores"});
  // Columns: good, bad, fürchterlich, "not bad".
  set(linear, "coefficients", {-1, 1, 1, -0.5F, 1, -1, -1, 0.5F});
  set(linear, "intercepts", {0, 0});
  set_strings(linear, "classlabels_strings", {"dislikes", "likes"});
  set_string(linear, "post_transform", "SOFTMAX");
  output("label");
  output("scores");

  const graph::Graph graph = import();
  const auto judge = [&](const std::vector<std::string>& words) {
    const Tensor x = Tensor::strings(words, {1, static_cast<int64_t>(words.size())});
    std::string label;
    for (const Backend backend : backends()) {
      const BackendScope scope(backend);
      const TensorList outputs = graph::Interpreter(graph).run({x});
      label = outputs[0].to_vector<std::string>().at(0);
      const auto scores = outputs[1].to_vector<double>();
      EXPECT_NEAR(scores[0] + scores[1], 1, 1e-6);
      EXPECT_EQ(label, scores[1] > scores[0] ? "likes" : "dislikes");
    }
    return label;
  };
  EXPECT_EQ(judge({"The", "GOOD", "film"}), "likes");
  EXPECT_EQ(judge({"a", "BAD", "film"}), "dislikes");
  EXPECT_EQ(judge({"not", "the", "Bad", "film"}), "likes");  // "not bad" by removal of "the"
  EXPECT_EQ(judge({"FÜRCHTERLICH", "good"}), "dislikes");
}

// Opset 1 of LabelEncoder has one list of words.
TEST_F(MlModels, LabelsOfTheFirstOpset) {
  model_.mutable_opset_import(1)->set_version(1);
  input("words", TensorProto::STRING, {"n"});
  NodeProto& encoder = node("LabelEncoder", {"words"}, {"numbers"});
  set_strings(encoder, "classes_strings", {"a", "b"});
  set_int(encoder, "default_int64", -5);
  NodeProto& decoder = node("LabelEncoder", {"numbers"}, {"again"});
  set_strings(decoder, "classes_strings", {"a", "b"});
  set_string(decoder, "default_string", "?");
  output("numbers");
  output("again");
  const TensorList outputs =
      graph::Interpreter(import()).run({Tensor::strings({"b", "x", "a"}, {3})});
  EXPECT_EQ(outputs[0].to_vector<int64_t>(), (std::vector<int64_t>{1, -5, 0}));
  EXPECT_EQ(outputs[1].to_vector<std::string>(), (std::vector<std::string>{"b", "?", "a"}));
}

}  // namespace

}  // namespace tenon::formats
