// tenon export: a checkpoint as an ONNX file.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "train/run.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples =
    "  tenon export runs/try/best.safetensors --output model.onnx\n"
    "  tenon export best.safetensors -o model.onnx --opset 17 --input-name image --output-name "
    "logits --dim 0=batch --check 1000\n";

struct Options {
  train::ExportRequest request;
  std::vector<std::string> axes;
};

int write_model(Options& options, const Globals& globals) {
  if (!options.axes.empty()) options.request.dynamic.clear();
  for (const std::string& pair : options.axes) {
    const size_t cut = pair.find('=');
    const auto axis = text::parse_number<int64_t>(pair.substr(0, cut));
    TENON_CHECK(cut != std::string::npos && axis && cut + 1 < pair.size(), usage,
                "--dim {}: write AXIS=NAME, as in --dim 0=batch", pair);
    options.request.dynamic[*axis] = pair.substr(cut + 1);
  }
  const train::ExportResult result = train::export_checkpoint(options.request);
  if (globals.json) {
    print_json(train::to_json(result));
  } else {
    std::printf("%s: opset %d, %ld nodes, %ld parameters, %s\n", result.output.c_str(),
                result.opset, static_cast<long>(result.nodes), static_cast<long>(result.parameters),
                text::human_bytes(result.bytes).c_str());
    if (result.checked_items > 0)
      std::printf("checked on %ld items: largest difference %.3g, %s\n",
                  static_cast<long>(result.checked_items), result.max_abs_diff,
                  result.agrees ? "agrees" : "does NOT agree");
  }
  return result.agrees ? 0 : 1;
}

Run define(Arguments& arguments, const Globals& globals) {
  auto options = std::make_shared<Options>();
  arguments.option("checkpoint", options->request.checkpoint, "A checkpoint written by tenon train")
      .required();
  arguments.option("-o,--output", options->request.output, "The ONNX file to write").required();
  arguments.option("--opset", options->request.opset, "ONNX opset, 13 to 22");
  arguments.option("--input-name", options->request.input_name, "Name of the input");
  arguments.option("--output-name", options->request.output_name, "Name of the output");
  arguments.option("--dim", options->axes,
                   "AXIS=NAME of an input axis that stays dynamic (0=batch unless given)");
  arguments.option("--check", options->request.check_items,
                   "Load the file again and compare it on so many items");
  arguments.option("--tolerance", options->request.tolerance,
                   "Largest difference that --check accepts");
  return [options, &globals] { return write_model(*options, globals); };
}

}  // namespace

constinit const Verb export_model{"export", Stage::ship, "Write a checkpoint as an ONNX model.",
                                  kExamples, define};

}  // namespace tenon::cli
