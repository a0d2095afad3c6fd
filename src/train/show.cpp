// tenon eval --show: pictures in a terminal, with what a model says they are.
#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "base/terminal.h"
#include "train/model_file.h"
#include "train/run.h"

namespace tenon::train {

namespace {

struct Picture {
  int64_t height = 0, width = 0;
  std::vector<std::array<float, 3>> pixels;  // 0 to 1
};

// An image field of one item, [height, width] or [height, width, channels], reduced to at most
// `limit` columns by averaging.
Picture picture_of(const Tensor& image, int64_t limit) {
  const Tensor x = image.to(DType::f32).contiguous();
  const int64_t height = x.size(0), width = x.size(1), channels = x.rank() == 3 ? x.size(2) : 1;
  const float scale = image.dtype() == DType::u8 ? 1.0F / 255 : 1.0F;
  const double shrink = std::max(1.0, static_cast<double>(width) / static_cast<double>(limit));
  Picture picture;
  picture.width = std::max<int64_t>(1, std::llround(static_cast<double>(width) / shrink));
  picture.height = std::max<int64_t>(1, std::llround(static_cast<double>(height) / shrink));
  const float* from = x.data<float>();
  for (int64_t row = 0; row < picture.height; ++row)
    for (int64_t column = 0; column < picture.width; ++column) {
      const int64_t y0 = row * height / picture.height,
                    y1 = std::max(y0 + 1, (row + 1) * height / picture.height);
      const int64_t x0 = column * width / picture.width,
                    x1 = std::max(x0 + 1, (column + 1) * width / picture.width);
      std::array<float, 3> sum{};
      for (int64_t y = y0; y < y1; ++y)
        for (int64_t at = x0; at < x1; ++at)
          for (int64_t c = 0; c < 3; ++c)
            sum[static_cast<size_t>(c)] +=
                from[(y * width + at) * channels + (channels >= 3 ? c : 0)];
      for (float& value : sum)
        value = std::clamp(value * scale / static_cast<float>((y1 - y0) * (x1 - x0)), 0.0F, 1.0F);
      picture.pixels.push_back(sum);
    }
  return picture;
}

std::array<int, 3> bytes_of(const std::array<float, 3>& pixel) {
  std::array<int, 3> bytes{};
  for (size_t c = 0; c < 3; ++c) bytes[c] = static_cast<int>(std::lround(pixel[c] * 255));
  return bytes;
}

// One line of text: two rows of pixels, the upper one in the colour of a half block, the lower one
// behind it.
std::string line_of(const Picture& picture, int64_t line, const ShowOptions& options) {
  constexpr std::string_view kRamp = " .:-=+*#%@";
  std::string out;
  for (int64_t column = 0; column < picture.width; ++column) {
    const auto at = [&](int64_t row) -> std::array<float, 3> {
      if (row >= picture.height) return {};
      return picture.pixels[static_cast<size_t>(row * picture.width + column)];
    };
    const std::array<float, 3> upper = at(2 * line), lower = at(2 * line + 1);
    if (options.color && options.unicode) {
      const auto u = bytes_of(upper), l = bytes_of(lower);
      out += fmt::format("\x1b[38;2;{};{};{};48;2;{};{};{}m\u2580", u[0], u[1], u[2], l[0], l[1],
                         l[2]);
    } else {
      float grey = 0;
      for (size_t c = 0; c < 3; ++c) grey += (upper[c] + lower[c]) / 6;
      out += kRamp[std::min(kRamp.size() - 1,
                            static_cast<size_t>(grey * static_cast<float>(kRamp.size())))];
    }
  }
  return options.color && options.unicode ? out + "\x1b[0m" : out;
}

}  // namespace

std::string show_predictions(const ShowOptions& options) {
  constexpr int64_t kWidth = 18, kGap = 2;
  const ModelFile model = open_model(options.model, options.options.models, options.read_graph);
  const RecipeData data = load_recipe_data(recipe_config(model, options.model, options.recipe),
                                           "test", options.options);
  const data::Schema& schema = data.split.original->schema();
  const data::Field& field = schema[data.input];
  TENON_CHECK(field.role == data::Role::image, usage,
              "show: the data's field {} is no image; only images can be shown", field.str());
  const std::vector<std::string>& classes = schema[data.target].classes;
  const auto name_of = [&](int64_t label) {
    return static_cast<size_t>(label) < classes.size() ? classes[static_cast<size_t>(label)]
                                                       : std::to_string(label);
  };

  Generator random(options.seed);
  std::vector<Picture> pictures;
  std::vector<std::array<std::string, 2>> captions;
  for (int64_t i = 0; i < options.count; ++i) {
    const auto index =
        static_cast<int64_t>(random.below(static_cast<uint64_t>(data.split.items->size())));
    pictures.push_back(picture_of(data.split.original->read(index)[data.input], kWidth));
    const data::Sample item = data.split.items->read_batch(std::array{index});
    const Tensor scores = model.predict(item[data.input]);
    const auto truth = item[data.target].to_vector<int64_t>()[0];
    const std::vector<double> row = scores.to_vector<double>();
    const auto best = std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const double value : row) sum += std::exp(value - *best);
    const int64_t said = best - row.begin();
    captions.push_back({fmt::format("{} {:.0f} %", name_of(said), 100 / sum),
                        said == truth ? std::string("right") : "wrong: " + name_of(truth)});
  }

  const auto across =
      std::max<size_t>(1, static_cast<size_t>((options.columns + kGap) / (kWidth + kGap)));
  std::string out;
  for (size_t first = 0; first < pictures.size(); first += across) {
    const size_t end = std::min(first + across, pictures.size());
    int64_t lines = 0;
    for (size_t i = first; i < end; ++i) lines = std::max(lines, (pictures[i].height + 1) / 2);
    const auto row = [&](const auto& cell) {
      std::string line;
      for (size_t i = first; i < end; ++i)
        line += terminal::pad(cell(i), kWidth) + (i + 1 < end ? "  " : "");
      out += line + "\n";
    };
    for (int64_t line = 0; line < lines; ++line)
      row([&](size_t i) { return line_of(pictures[i], line, options); });
    for (size_t part = 0; part < 2; ++part)
      row([&](size_t i) { return terminal::truncate(captions[i][part], kWidth); });
    if (end < pictures.size()) out += "\n";
  }
  return out;
}

}  // namespace tenon::train
