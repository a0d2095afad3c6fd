// tenon doctor: is this installation sound?
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/environment.h"
#include "base/file.h"
#include "base/terminal.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/catalog.h"
#include "cli/verb.h"
#include "ops/math/catalog.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"
#include "tensor/npy.h"

namespace tenon::cli {

namespace {

constexpr std::string_view kExamples = "  tenon doctor\n";

struct Check {
  std::string name;
  bool ok = false;
  std::string found;
  std::string mend;  // what to do when not ok
  bool optional = false;
};

Check check_product() {
  const NoGrad no_grad;
  const Tensor a = randn({33, 65}), b = randn({65, 17});
  const Tensor fast = op::MatMul(a, b);
  const BackendScope slow(Backend::reference);
  const Tensor expected = op::MatMul(a, b);
  double worst = 0;
  for (int64_t i = 0; i < fast.numel(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(fast.data<float>()[i]) -
                                     static_cast<double>(expected.data<float>()[i])));
  return {"arithmetic", worst < 1e-4,
          fmt::format("matrix product differs from the reference by {:.2g}", worst),
          "the kernels compute wrongly on this CPU; report it with the output of `tenon devices`"};
}

Check check_files() {
  const std::string path =
      (std::filesystem::temp_directory_path() / fmt::format("tenon-doctor-{}.npy", ::getpid()))
          .string();
  npy::write_file(path, Tensor::ones({4}));
  const bool same = npy::read_file(path).to_vector<float>() == std::vector<float>(4, 1.0F);
  std::filesystem::remove(path);
  return {"files", same, "wrote and read " + path,
          "make the temporary folder writable, or set TMPDIR to one that is"};
}

Check check_space() {
  std::error_code error;
  const auto space = std::filesystem::space(std::filesystem::current_path(), error);
  const bool ok = !error && space.available > 1'000'000'000;
  return {"disk", ok, error ? error.message() : text::human_bytes(space.available) + " free here",
          "free some space: checkpoints need room"};
}

Check check_dataset() {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  const bool found = std::filesystem::exists(folder);
  return {"Fashion-MNIST", found, found ? folder : "not installed",
          "apt-get install dataset-fashion-mnist", true};
}

Check guarded(std::string name, Check (*check)()) {
  try {
    return check();
  } catch (const Error& error) {
    return {std::move(name), false, error.message(), "see the message"};
  }
}

int examine(const Globals& globals) {
  const Environment environment = read_environment();
  const std::vector<Check> checks{guarded("arithmetic", check_product),
                                  guarded("files", check_files), guarded("disk", check_space),
                                  guarded("Fashion-MNIST", check_dataset)};
  bool sound = true;
  for (const Check& check : checks) sound = sound && (check.ok || check.optional);
  if (globals.json) {
    Json facts = Json::object(), list = Json::array();
    for (const auto& [key, value] : describe(environment)) facts[key] = value;
    for (const Check& check : checks)
      list.push_back({{"name", check.name},
                      {"ok", check.ok},
                      {"optional", check.optional},
                      {"found", check.found},
                      {"mend", check.ok ? "" : check.mend}});
    print_json({{"sound", sound}, {"environment", facts}, {"checks", list}});
    return sound ? 0 : 1;
  }
  for (const auto& [key, value] : describe(environment))
    std::printf("%-18s %s\n", key.c_str(), value.c_str());
  std::printf("\n");
  for (const Check& check : checks) {
    const auto style = check.ok         ? terminal::Style::green
                       : check.optional ? terminal::Style::yellow
                                        : terminal::Style::red;
    std::printf("%s %-14s %s\n",
                terminal::styled(check.ok         ? "ok     "
                                 : check.optional ? "missing"
                                                  : "broken ",
                                 style, terminal::kStdout)
                    .c_str(),
                check.name.c_str(), check.found.c_str());
    if (!check.ok) std::printf("        mend: %s\n", check.mend.c_str());
  }
  return sound ? 0 : 1;
}

Run define(Arguments&, const Globals& globals) {
  return [&globals] { return examine(globals); };
}

}  // namespace

constinit const Verb doctor{"doctor", Stage::know,
                            "Check this installation and say how to mend it.", kExamples, define};

}  // namespace tenon::cli
