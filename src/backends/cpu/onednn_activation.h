// The activations of fused operators (FusedConv, FusedGemm) as oneDNN's post-ops.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <string_view>

namespace tenon::cpu {

// Appends activation(result), named and parametrised as in FusedConv's attributes; "" adds nothing.
// False, and nothing appended, where oneDNN has no form of it that is accurate to 2e-6 of the
// larger of 1 and |x|. Relu and Clip make a NaN their lower bound, as oneDNN does.
bool append_activation(dnnl::post_ops& ops, std::string_view name,
                       std::span<const double> parameters);

}  // namespace tenon::cpu
