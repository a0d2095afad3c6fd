// What an equation of Einsum says for operands of given sizes.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "tensor/dim.h"

namespace tenon::einsum {

// Axes are known by numbers: letters by their character, the axes of an ellipsis from the last by
// kEllipsis, kEllipsis + 1...
using Label = int;
inline constexpr Label kEllipsis = 256;

struct Equation {
  std::vector<std::vector<Label>> operands;  // one label an axis
  std::vector<Label> output;
};

// Letters, "..." once an operand, "->" and what follows optional: then the ellipsis' axes come
// first and the labels that occur once after them, in alphabetical order. `ranks` are those of the
// operands. Fails (usage), beginning with "Einsum: ".
Equation parse(std::string_view text, std::span<const size_t> ranks);

// The size of each label; one of 1 gives way to another. Fails (usage) on sizes that differ.
class Sizes {
 public:
  Sizes(const Equation& equation, std::span<const Dims> operands);

  const Dim& of(Label label) const;

 private:
  std::vector<std::pair<Label, Dim>> sizes_;
};

}  // namespace tenon::einsum
