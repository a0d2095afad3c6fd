#include "ort.h"

#include <dlfcn.h>

#include <cstring>

#include "base/error.h"

namespace bench {

using namespace tenon;

namespace {

// The version that the table of functions is asked for in.
constexpr uint32_t kApiVersion = 29;
constexpr int kErrors = 3;           // ORT_LOGGING_LEVEL_ERROR
constexpr int kDeviceAllocator = 0;  // OrtDeviceAllocator
constexpr int kDefaultMemory = 0;    // OrtMemTypeDefault

// What OrtGetApiBase() returns.
struct ApiBase {
  const void* (*get_api)(uint32_t version);
  const char* (*get_version)();
};

template <class F>
void take(const void* api, size_t index, F& function) {
  const void* address = nullptr;
  std::memcpy(&address, static_cast<const std::byte*>(api) + index * sizeof(void*), sizeof(void*));
  function = reinterpret_cast<F>(const_cast<void*>(address));
}

}  // namespace

// Those members of OrtApi that are used here. The table only ever grows at its end, so places in it
// are stable. A status is null, or an error to be released.
struct Ort::Functions {
  const char* (*error_message)(const void* status);
  void* (*create_env)(int level, const char* id, void** env);
  void* (*create_session)(const void* env, const char* path, const void* options, void** session);
  void* (*run)(void* session, const void* options, const char* const* input_names,
               const void* const* inputs, size_t input_count, const char* const* output_names,
               size_t output_count, void** outputs);
  void* (*create_options)(void** options);
  void* (*set_log_severity)(void* options, int level);
  void* (*set_intra_threads)(void* options, int count);
  void* (*input_count)(const void* session, size_t* count);
  void* (*output_count)(const void* session, size_t* count);
  void* (*input_name)(const void* session, size_t index, void* allocator, char** name);
  void* (*output_name)(const void* session, size_t index, void* allocator, char** name);
  void* (*create_tensor)(const void* memory, void* data, size_t bytes, const int64_t* shape,
                         size_t rank, int type, void** value);
  void* (*is_tensor)(const void* value, int* answer);
  void* (*tensor_data)(void* value, void** data);
  void* (*element_type)(const void* info, int* type);
  void* (*rank)(const void* info, size_t* rank);
  void* (*dimensions)(const void* info, int64_t* sizes, size_t rank);
  void* (*type_and_shape)(const void* value, void** info);
  void* (*cpu_memory)(int allocator_type, int memory_type, void** memory);
  void* (*allocator_free)(void* allocator, void* block);
  void* (*default_allocator)(void** allocator);
  void (*release_env)(void*);
  void (*release_status)(void*);
  void (*release_memory)(void*);
  void (*release_session)(void*);
  void (*release_value)(void*);
  void (*release_info)(void*);
  void (*release_options)(void*);

  explicit Functions(const void* api) {
    take(api, 2, error_message);
    take(api, 3, create_env);
    take(api, 7, create_session);
    take(api, 9, run);
    take(api, 10, create_options);
    take(api, 22, set_log_severity);
    take(api, 24, set_intra_threads);
    take(api, 30, input_count);
    take(api, 31, output_count);
    take(api, 36, input_name);
    take(api, 37, output_name);
    take(api, 49, create_tensor);
    take(api, 50, is_tensor);
    take(api, 51, tensor_data);
    take(api, 60, element_type);
    take(api, 61, rank);
    take(api, 62, dimensions);
    take(api, 65, type_and_shape);
    take(api, 69, cpu_memory);
    take(api, 76, allocator_free);
    take(api, 78, default_allocator);
    take(api, 92, release_env);
    take(api, 93, release_status);
    take(api, 94, release_memory);
    take(api, 95, release_session);
    take(api, 96, release_value);
    take(api, 99, release_info);
    take(api, 100, release_options);
  }

  void check(void* status, std::string_view what) const {
    if (!status) return;
    const std::string message = error_message(status);
    release_status(status);
    fail(ErrorKind::unsupported, "ONNX Runtime cannot {}: {}", what, message);
  }
};

Ort::Ort(const std::string& path) {
  library_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library_) {
    const char* reason = ::dlerror();
    fail(ErrorKind::resource,
         "{}: cannot be loaded ({}); ./dev setup --bench installs ONNX Runtime, or name its "
         "library with --ort",
         path, reason ? reason : "no reason given");
  }
  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(::dlsym(library_, "OrtGetApiBase"));
  TENON_CHECK(get_base, unsupported, "{}: has no OrtGetApiBase; name ONNX Runtime's library", path);
  version_ = get_base()->get_version();
  const void* api = get_base()->get_api(kApiVersion);
  TENON_CHECK(api, unsupported,
              "{}: ONNX Runtime {} has no C API version {}; 1.29 is the first one that has", path,
              version_, kApiVersion);
  functions_ = std::make_unique<Functions>(api);
  functions_->check(functions_->create_env(kErrors, "bench", &environment_), "start");
}

Ort::~Ort() {
  if (environment_) functions_->release_env(environment_);
  // The library stays: its threads may still be on their way out.
}

std::string Ort::version() const { return version_; }

OrtSession::OrtSession(const Ort& ort, const std::string& model, int threads) : ort_(ort) {
  const Ort::Functions& f = ort_.functions();
  void* options = nullptr;
  f.check(f.create_options(&options), "make options");
  f.check(f.set_log_severity(options, kErrors), "be quiet");
  f.check(f.set_intra_threads(options, threads), "set its threads");
  void* status = f.create_session(ort_.environment(), model.c_str(), options, &session_);
  f.release_options(options);
  f.check(status, "load " + model);
  f.check(f.cpu_memory(kDeviceAllocator, kDefaultMemory, &memory_), "describe memory");
  void* allocator = nullptr;
  f.check(f.default_allocator(&allocator), "give its allocator");
  const auto names = [&](auto count_of, auto name_of, std::vector<std::string>& list,
                         std::vector<const char*>& pointers) {
    size_t count = 0;
    f.check(count_of(session_, &count), "count inputs and outputs");
    for (size_t i = 0; i < count; ++i) {
      char* name = nullptr;
      f.check(name_of(session_, i, allocator, &name), "name inputs and outputs");
      list.emplace_back(name);
      f.check(f.allocator_free(allocator, name), "free a name");
    }
    for (const std::string& name : list) pointers.push_back(name.c_str());
  };
  names(f.input_count, f.input_name, input_names_, input_pointers_);
  names(f.output_count, f.output_name, output_names_, output_pointers_);
}

OrtSession::~OrtSession() {
  drop_inputs();
  if (memory_) ort_.functions().release_memory(memory_);
  if (session_) ort_.functions().release_session(session_);
}

void OrtSession::drop_inputs() {
  for (void* value : values_) ort_.functions().release_value(value);
  values_.clear();
}

void OrtSession::set_inputs(const TensorList& inputs) {
  const Ort::Functions& f = ort_.functions();
  drop_inputs();
  inputs_.clear();
  for (const Tensor& input : inputs) {
    TENON_CHECK(input.defined() && (kNumeric | kBool).has(input.dtype()), unsupported,
                "an input is no tensor of numbers; leave the model out");
    inputs_.push_back(input.contiguous());
    Tensor& kept = inputs_.back();
    void* value = nullptr;
    // Element types have ONNX's numbers on both sides.
    f.check(f.create_tensor(memory_, kept.raw(), kept.bytes(), kept.shape().begin(), kept.rank(),
                            static_cast<int>(kept.dtype()), &value),
            "take an input");
    values_.push_back(value);
  }
}

std::vector<void*> OrtSession::run_values() const {
  const Ort::Functions& f = ort_.functions();
  std::vector<void*> outputs(output_names_.size(), nullptr);
  f.check(f.run(session_, nullptr, input_pointers_.data(), values_.data(), values_.size(),
                output_pointers_.data(), outputs.size(), outputs.data()),
          "run");
  return outputs;
}

void OrtSession::run() const {
  for (void* value : run_values()) ort_.functions().release_value(value);
}

Tensor OrtSession::copy_of(void* value) const {
  const Ort::Functions& f = ort_.functions();
  int is_tensor = 0;
  f.check(f.is_tensor(value, &is_tensor), "tell what an output is");
  if (!is_tensor) return {};
  void* info = nullptr;
  f.check(f.type_and_shape(value, &info), "give an output's type");
  int type = 0;
  size_t rank = 0;
  f.check(f.element_type(info, &type), "give an output's element type");
  f.check(f.rank(info, &rank), "give an output's rank");
  std::vector<int64_t> sizes(rank);
  f.check(f.dimensions(info, sizes.data(), rank), "give an output's shape");
  f.release_info(info);
  const auto dtype = static_cast<DType>(type);
  if (!(kNumeric | kBool).has(dtype)) return {};
  Tensor copy = Tensor::empty(Shape(sizes), dtype);
  void* data = nullptr;
  f.check(f.tensor_data(value, &data), "give an output");
  if (copy.bytes() > 0) std::memcpy(copy.raw(), data, copy.bytes());
  return copy;
}

TensorList OrtSession::run_copy() const {
  TensorList list;
  for (void* value : run_values()) {
    list.push_back(copy_of(value));
    ort_.functions().release_value(value);
  }
  return list;
}

}  // namespace bench
