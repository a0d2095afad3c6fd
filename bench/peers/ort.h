// ONNX Runtime through its C API, loaded while running: nothing of it is needed to build this.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace bench {

// The library. Lives as long as its sessions.
class Ort {
 public:
  // Fails (resource) where there is no such library, (unsupported) where it lacks the API.
  explicit Ort(const std::string& path);
  ~Ort();
  Ort(const Ort&) = delete;
  Ort& operator=(const Ort&) = delete;

  std::string version() const;

  struct Functions;
  const Functions& functions() const { return *functions_; }
  void* environment() const { return environment_; }

 private:
  void* library_ = nullptr;
  void* environment_ = nullptr;
  std::string version_;
  std::unique_ptr<Functions> functions_;
};

// A model as ONNX Runtime loads it by default: all optimisations, its own threads, which spin.
class OrtSession {
 public:
  OrtSession(const Ort& ort, const std::string& model, int threads);
  ~OrtSession();
  OrtSession(const OrtSession&) = delete;
  OrtSession& operator=(const OrtSession&) = delete;

  const std::vector<std::string>& input_names() const { return input_names_; }
  const std::vector<std::string>& output_names() const { return output_names_; }

  // The inputs of the following runs, in the order of input_names(): kept, not copied. Numbers only
  // (unsupported).
  void set_inputs(const tenon::TensorList& inputs);
  // Runs and drops the outputs.
  void run() const;
  // Runs and copies the outputs; those that are no tensors of numbers are undefined.
  tenon::TensorList run_copy() const;

 private:
  std::vector<void*> run_values() const;
  void drop_inputs();
  tenon::Tensor copy_of(void* value) const;

  const Ort& ort_;
  void* session_ = nullptr;
  void* memory_ = nullptr;
  std::vector<std::string> input_names_, output_names_;
  std::vector<const char*> input_pointers_, output_pointers_;
  tenon::TensorList inputs_;
  std::vector<void*> values_;
};

}  // namespace bench
