// Exchange of tensors with other libraries in the same process, without copying: the structures of
// the DLPack specification 0.8 (https://dmlc.github.io/dlpack), compatible in layout with its
// dlpack.h: a DLManagedTensor* may be cast to dlpack::ManagedTensor* and back.
//
//   dlpack::ManagedTensor* shared = dlpack::export_tensor(x);   // the receiver calls
//   shared->deleter Tensor y = dlpack::import_tensor(received);                 // calls
//   received->deleter in the end
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace tenon::dlpack {

struct DeviceId {  // DLDevice
  int32_t type;    // 1: CPU, 2: CUDA, 3: host memory pinned by CUDA
  int32_t index;
};

struct ElementType {  // DLDataType
  uint8_t code;       // 0: int, 1: unsigned, 2: float, 3: handle, 4: bfloat, 5: complex, 6: bool
  uint8_t bits;       // of a whole complex number
  uint16_t lanes;     // elements in a vector type; 1 otherwise
};

struct View {  // DLTensor
  void* data;  // on the device
  DeviceId device;
  int32_t rank;
  ElementType type;
  int64_t* shape;
  int64_t* strides;      // in elements; null: row-major
  uint64_t byte_offset;  // of the first element from `data`
};

struct ManagedTensor {  // DLManagedTensor
  View tensor;
  void* owner;
  void (*deleter)(ManagedTensor* self);  // may be null
};

// Shares the storage, strides included; it lives until the receiver calls the deleter. Fails
// (unsupported) for strings and for tensors that are not on the CPU. Autograd history stays behind.
ManagedTensor* export_tensor(const Tensor& tensor);

// Takes over `managed`: its deleter runs when the last view of the tensor is gone, on that thread.
// Fails (unsupported) for other devices, vector types, element types Tenon does not have and
// unaligned data, (data) for malformed structures; the caller then still owns `managed`.
Tensor import_tensor(ManagedTensor* managed);

}  // namespace tenon::dlpack
