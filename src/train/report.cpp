#include "train/report.h"

#include <algorithm>
#include <ctime>

#include "base/environment.h"
#include "base/file.h"
#include "base/text.h"
#include "data/image.h"
#include "profile/html.h"
#include "train/report_charts.h"

namespace tenon::train {

using profile::escape_html;

namespace {

// What only this page has.
constexpr std::string_view kStyle = R"(
:root{--hit:37,99,168;--miss:200,70,30}@media(prefers-color-scheme:dark){:root{--hit:80,140,210;--miss:225,100,60}}
.confusion{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}.confusion th{font-weight:500;text-align:right;padding:4px 8px;white-space:nowrap}
.confusion thead th{vertical-align:bottom;text-align:center;padding:4px 2px}.confusion thead span{writing-mode:vertical-rl;transform:rotate(180deg)}.confusion thead .corner{color:var(--soft);text-align:right;padding:4px 8px}
.confusion td{text-align:center;min-width:46px;height:32px;border:1px solid var(--line)}.hit{background:rgba(var(--hit),calc(var(--share)*.65))}.miss{background:rgba(var(--miss),calc(var(--share)*.9))}.recall{color:var(--soft);padding:0 8px}
.items{display:grid;grid-template-columns:repeat(auto-fill,minmax(104px,1fr));gap:12px}.items figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px;font-size:12px;line-height:1.35}
.items img{width:100%;image-rendering:pixelated;border-radius:4px;display:block;margin-bottom:6px;background:#000}
)";

// The lines of `name` in training and validation; empty where neither was measured.
std::string curve(const History& history, const std::string& name, bool percent) {
  std::vector<Line> lines;
  for (const std::string part : {"train", "validation"}) {
    Line line{part == "train" ? "training" : "validation", {}};
    for (const EpochRecord& record : history)
      if (const double* value = record.find(part + "_" + name))
        line.points.emplace_back(static_cast<double>(record.epoch), *value);
    if (!line.points.empty()) lines.push_back(std::move(line));
  }
  if (lines.empty()) return "";
  std::string title = name;
  title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return "<div class=\"card\">" + line_chart(title, "epoch", name, lines, percent) + "</div>";
}

std::string epoch_table(const History& history) {
  if (history.empty()) return "";
  std::string out =
      "<div class=\"card scroll\"><table class=\"numbers\"><tr><th>epoch</th><th>steps</th>";
  for (const auto& [name, value] : history.back().values)
    out += fmt::format("<th>{}</th>", text::replace_all(name, "_", " "));
  out += "<th>learning rate</th><th>items/s</th><th>seconds</th></tr>";
  for (const EpochRecord& record : history) {
    out += fmt::format("<tr><td>{}</td><td>{}</td>", record.epoch, record.step);
    for (const auto& [name, value] : record.values)
      out += name.ends_with("accuracy") ? fmt::format("<td>{:.2f} %</td>", value * 100)
                                        : fmt::format("<td>{:.4f}</td>", value);
    out +=
        fmt::format("<td>{}</td><td>{}</td><td>{:.1f}</td></tr>", text::human_number(record.rate),
                    text::human_count(record.items_per_second), record.seconds);
  }
  return out + "</table></div>";
}

std::string picture(const data::Source& source, const std::string& field, int64_t index) {
  const Tensor image = source.read(index)[field];
  Tensor bytes = image;
  if (image.dtype() != DType::u8) {
    bytes = Tensor::empty(image.shape(), DType::u8);
    const std::vector<double> values = image.to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i)
      bytes.data<uint8_t>()[i] = static_cast<uint8_t>(std::clamp(values[i], 0.0, 1.0) * 255 + 0.5);
  }
  return "data:image/png;base64," + base64(data::encode_png(bytes));
}

std::string name_of(const std::vector<std::string>& names, int64_t label) {
  return static_cast<size_t>(label) < names.size() ? names[static_cast<size_t>(label)]
                                                   : std::to_string(label);
}

// Up to `limit` items that were said rightly, or wrongly with the greatest confidence.
std::string gallery(const Recipe& recipe, const Evaluation& test,
                    const std::vector<std::string>& names, bool right, size_t limit) {
  const data::SourcePtr& source = recipe.test.original;
  if (!source || source->schema()[recipe.info.input].role != data::Role::image) return "";
  std::vector<size_t> chosen;
  for (size_t i = 0; i < test.predictions.size(); ++i)
    if ((test.predictions[i].truth == test.predictions[i].predicted) == right) chosen.push_back(i);
  if (chosen.empty()) return "";
  if (right) {
    // Evenly spread over the data.
    std::vector<size_t> spread;
    for (size_t i = 0; i < std::min(limit, chosen.size()); ++i)
      spread.push_back(chosen[i * chosen.size() / std::min(limit, chosen.size())]);
    chosen = spread;
  } else {
    std::stable_sort(chosen.begin(), chosen.end(), [&](size_t a, size_t b) {
      return test.predictions[a].confidence > test.predictions[b].confidence;
    });
    chosen.resize(std::min(limit, chosen.size()));
  }
  std::string out = fmt::format("<h2>{}</h2><div class=\"items\">",
                                right ? "Rightly recognised" : "Wrong, and most certain of it");
  for (const size_t i : chosen) {
    const Prediction& item = test.predictions[i];
    out += fmt::format(
        "<figure title=\"item {}: {:.2f} % certain\"><img alt=\"{}\" src=\"{}\"><span "
        "class=\"{}\">{}</span> "
        "<span class=\"soft\">{:.0f} %</span>",
        i, item.confidence * 100, escape_html(name_of(names, item.truth)),
        picture(*source, recipe.info.input, static_cast<int64_t>(i)), right ? "good" : "bad",
        escape_html(name_of(names, item.predicted)), item.confidence * 100);
    if (!right)
      out += fmt::format("<br><span class=\"soft\">is</span> {}",
                         escape_html(name_of(names, item.truth)));
    out += "</figure>";
  }
  return out + "</div>";
}

std::string facts(const Recipe& recipe, const TrainResult& result) {
  std::string out = "<table class=\"facts\">";
  const auto row = [&](std::string_view name, std::string_view value) {
    out += fmt::format("<tr><td>{}</td><td>{}</td></tr>", escape_html(name), escape_html(value));
  };
  row("training", fmt::format("{} for {}", text::human_duration(result.train_seconds),
                              text::plural(static_cast<uint64_t>(result.epochs), "epoch")));
  if (result.test)
    row("test", fmt::format("{} for {}", text::human_duration(result.test->seconds),
                            text::plural(static_cast<uint64_t>(result.test->items), "item")));
  row("data", fmt::format("{} to learn from, in batches of {}",
                          text::plural(static_cast<uint64_t>(recipe.train.items->size()), "item"),
                          recipe.loader.batch));
  row("seed", std::to_string(recipe.seed));
  row("checkpoint", result.checkpoint);
  for (const auto& [name, value] : tenon::describe(read_environment())) row(name, value);
  return out + "</table>";
}

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min);
}

}  // namespace

void write_report(const std::string& path, const Recipe& recipe, const TrainResult& result) {
  std::string page =
      fmt::format("<h1>{}</h1><p class=\"sub\">Training report, {}</p><div class=\"tiles\">",
                  escape_html(recipe.name), now());
  if (result.test && result.test->accuracy)
    page +=
        profile::html_tile(fmt::format("{:.2f} %", *result.test->accuracy * 100), "test accuracy");
  if (result.test && result.test->loss)
    page += profile::html_tile(fmt::format("{:.4f}", *result.test->loss), "test loss");
  page += profile::html_tile(text::human_duration(result.train_seconds), "training time");
  page += profile::html_tile(std::to_string(result.epochs), "epochs");
  page +=
      profile::html_tile(text::human_count(static_cast<double>(result.parameters)), "parameters");
  if (!result.history.empty())
    page += profile::html_tile(text::human_count(result.history.back().items_per_second),
                               "items a second");
  page += "</div><h2>Curves</h2><div class=\"charts\">" + curve(result.history, "loss", false) +
          curve(result.history, "accuracy", true) + "</div><h2>Epochs</h2>" +
          epoch_table(result.history);
  if (result.test && !result.test->confusion.empty() && result.test->confusion.size() <= 50) {
    std::vector<std::string> names;
    for (size_t c = 0; c < result.test->confusion.size(); ++c)
      names.push_back(name_of(result.test->classes, static_cast<int64_t>(c)));
    page += "<h2>Confusion matrix</h2><div class=\"card scroll\">" +
            confusion_table(*result.test, names) + "</div>";
    page += gallery(recipe, *result.test, names, false, 20) +
            gallery(recipe, *result.test, names, true, 20);
  }
  page += "<h2>Model</h2><div class=\"card\"><pre>" + escape_html(nn::summary(*recipe.model)) +
          "</pre></div>";
  page += "<h2>Recipe</h2><div class=\"card\"><pre>" + escape_html(recipe.text) + "</pre></div>";
  page += "<h2>Run and machine</h2><div class=\"card\">" + facts(recipe, result) + "</div>";
  write_file(path, profile::html_page(recipe.name + " - training report", page, kStyle));
}

}  // namespace tenon::train
