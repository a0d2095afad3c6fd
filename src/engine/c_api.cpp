// The C interface over Session.
#include <algorithm>
#include <cstring>

#include "base/version.h"
#include "engine/session.h"
#include "engine/tenon.h"

namespace engine = tenon::engine;

struct tenon_session {
  engine::Session session;
  struct PortDims {
    tenon_type type;
    std::vector<int64_t> dims;
  };
  std::vector<PortDims> inputs, outputs;
};

struct tenon_cancellation {
  tenon::Cancellation flag;
};

namespace {

thread_local std::string last_error;

constexpr tenon::TypeSet kCarried = tenon::kNumeric | tenon::kBool;

tenon_status status_of(tenon::ErrorKind kind) {
  switch (kind) {
    case tenon::ErrorKind::usage: return TENON_USAGE;
    case tenon::ErrorKind::data: return TENON_DATA;
    case tenon::ErrorKind::unsupported: return TENON_UNSUPPORTED;
    case tenon::ErrorKind::resource: return TENON_RESOURCE;
    case tenon::ErrorKind::cancelled: return TENON_CANCELLED;
    case tenon::ErrorKind::bug: break;
  }
  return TENON_BUG;
}

// No exception may cross into C.
template <class Body>
tenon_status guarded(Body&& body) {
  try {
    body();
    return TENON_OK;
  } catch (const tenon::Error& error) {
    last_error = error.what();
    return status_of(error.kind());
  } catch (const std::bad_alloc&) {
    last_error = "out of memory";
    return TENON_RESOURCE;
  } catch (const std::exception& error) {
    last_error = error.what();
    return TENON_BUG;
  }
}

std::vector<tenon_session::PortDims> describe(std::span<const engine::Port> ports) {
  std::vector<tenon_session::PortDims> list;
  for (const engine::Port& port : ports) {
    const bool carried = kCarried.has(port.type.dtype);
    auto& entry = list.emplace_back();
    entry.type = carried ? static_cast<tenon_type>(port.type.dtype) : TENON_UNDEFINED;
    for (const tenon::Dim& dim : port.type.dims)
      entry.dims.push_back(dim.is_const() ? dim.value() : -1);
  }
  return list;
}

tenon_status port_at(const std::vector<tenon_session::PortDims>& ports, size_t index,
                     const char* what, tenon_port* port) {
  return guarded([&] {
    TENON_CHECK(index < ports.size(), usage, "{} {} is asked for; the model has {}", what, index,
                ports.size());
    *port = {ports[index].type, ports[index].dims.size(), ports[index].dims.data()};
  });
}

tenon::Tensor borrow(const tenon_tensor& given, const char* what, size_t index) {
  const auto type = static_cast<tenon::DType>(given.type);
  TENON_CHECK(given.type > 0 && given.type < tenon::kTensorTypeCount && kCarried.has(type), usage,
              "{} {} has the type {}; give one of tenon_type", what, index,
              static_cast<int>(given.type));
  TENON_CHECK(given.rank <= tenon::kMaxRank, usage, "{} {} has rank {}; at most {} is possible",
              what, index, given.rank, tenon::kMaxRank);
  const tenon::Shape shape(std::span<const int64_t>(given.dims, given.rank));
  for (int64_t size : shape)
    TENON_CHECK(size >= 0, usage, "{} {} has the shape {}; sizes are 0 or more", what, index,
                shape.str());
  TENON_CHECK(given.data || shape.numel() == 0, usage, "{} {} has no data; give a pointer to it",
              what, index);
  return tenon::Tensor::borrow(given.data, shape, type);
}

struct Owned {
  tenon::Tensor tensor;
  std::vector<int64_t> dims;
};

void hand_over(const tenon::Tensor& result, size_t index, tenon_tensor& to) {
  TENON_CHECK(kCarried.has(result.dtype()), unsupported,
              "output {} is of type {}, which the C interface does not carry; use the C++ one",
              index, name(result.dtype()));
  auto owned = std::make_unique<Owned>();
  owned->tensor = result;
  owned->dims = result.shape().vector();
  to = {static_cast<tenon_type>(result.dtype()), owned->dims.size(), owned->dims.data(),
        owned->tensor.raw(), owned.get()};
  owned.release();  // tenon_tensor_release deletes it
}

}  // namespace

extern "C" {

int tenon_api_version(void) { return TENON_API_VERSION; }

const char* tenon_version(void) { return tenon::library_version().data(); }

const char* tenon_last_error(void) { return last_error.c_str(); }

tenon_status tenon_session_load(const char* path, const tenon_session_options* given,
                                tenon_session** session) {
  return guarded([&] {
    TENON_CHECK(path && session, usage, "tenon_session_load: path or session is NULL; give both");
    *session = nullptr;
    tenon_session_options chosen{};
    if (given) std::memcpy(&chosen, given, std::min(given->size, sizeof(chosen)));
    engine::SessionOptions options;
    options.threads = chosen.threads;
    options.optimize = !chosen.no_passes;
    if (chosen.no_tuning) options.tune = engine::Tune::off;
    if (chosen.max_plans) options.max_plans = chosen.max_plans;
    auto made = std::make_unique<tenon_session>(
        tenon_session{engine::Session::load(path, options), {}, {}});
    made->inputs = describe(made->session.inputs());
    made->outputs = describe(made->session.outputs());
    *session = made.release();
  });
}

void tenon_session_free(tenon_session* session) { delete session; }

size_t tenon_session_input_count(const tenon_session* session) { return session->inputs.size(); }
size_t tenon_session_output_count(const tenon_session* session) { return session->outputs.size(); }

const char* tenon_session_input_name(const tenon_session* session, size_t index) {
  const auto ports = session->session.inputs();
  return index < ports.size() ? ports[index].name.c_str() : nullptr;
}
const char* tenon_session_output_name(const tenon_session* session, size_t index) {
  const auto ports = session->session.outputs();
  return index < ports.size() ? ports[index].name.c_str() : nullptr;
}

tenon_status tenon_session_input(const tenon_session* session, size_t index, tenon_port* port) {
  return port_at(session->inputs, index, "input", port);
}
tenon_status tenon_session_output(const tenon_session* session, size_t index, tenon_port* port) {
  return port_at(session->outputs, index, "output", port);
}

tenon_status tenon_session_run(const tenon_session* session, const tenon_tensor* inputs,
                               size_t input_count, tenon_tensor* outputs, size_t output_count,
                               const tenon_cancellation* cancellation) {
  return guarded([&] {
    TENON_CHECK(session && (inputs || input_count == 0) && (outputs || output_count == 0), usage,
                "tenon_session_run: session, inputs or outputs is NULL; give all three");
    TENON_CHECK(output_count <= session->outputs.size(), usage,
                "{} tensors given for results; there are {} outputs", output_count,
                session->outputs.size());
    tenon::TensorList given, results;
    for (size_t i = 0; i < input_count; ++i) given.push_back(borrow(inputs[i], "input", i));
    for (size_t i = 0; i < output_count; ++i)
      results.push_back(outputs[i].data ? borrow(outputs[i], "output", i) : tenon::Tensor());
    session->session.run_into(given, results, cancellation ? &cancellation->flag : nullptr);
    for (size_t i = 0; i < output_count; ++i)
      if (!outputs[i].data) hand_over(results[i], i, outputs[i]);
  });
}

void tenon_tensor_release(tenon_tensor* tensor) {
  if (!tensor || !tensor->owner) return;
  delete static_cast<Owned*>(tensor->owner);
  *tensor = {};
}

tenon_cancellation* tenon_cancellation_new(void) { return new (std::nothrow) tenon_cancellation; }
void tenon_cancellation_cancel(const tenon_cancellation* cancellation) {
  cancellation->flag.cancel();
}
void tenon_cancellation_free(tenon_cancellation* cancellation) { delete cancellation; }

}  // extern "C"
