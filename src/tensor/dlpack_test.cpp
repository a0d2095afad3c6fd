#include "tensor/dlpack.h"

#include <gtest/gtest.h>

#include "tensor/narrow.h"

namespace tenon {
namespace {

using dlpack::ManagedTensor;

// What another library would hand over.
struct Foreign {
  std::vector<float> data = {0, 1, 2, 3, 4, 5};
  std::vector<int64_t> shape = {2, 3};
  std::vector<int64_t> strides = {3, 1};
  int released = 0;
  ManagedTensor managed = {};

  Foreign() {
    managed.tensor = {data.data(), {1, 0}, 2, {2, 32, 1}, shape.data(), strides.data(), 0};
    managed.owner = this;
    managed.deleter = [](ManagedTensor* self) { ++static_cast<Foreign*>(self->owner)->released; };
  }
};

TEST(DLPack, EveryTypeGoesThereAndBack) {
  for (int i = 1; i < kTensorTypeCount; ++i) {
    const auto type = static_cast<DType>(i);
    if (type == DType::string) continue;
    if (bits_of(type) < 8) {
      EXPECT_THROW(dlpack::export_tensor(Tensor::ones({2}, type)), Error);
      continue;
    }
    const Tensor x = Tensor::ones({2, 3}, type);
    const Tensor y = dlpack::import_tensor(dlpack::export_tensor(x));
    EXPECT_EQ(y.dtype(), type);
    EXPECT_EQ(y.shape(), x.shape());
    EXPECT_EQ(y.raw(), x.raw()) << "no copy";
  }
}

TEST(DLPack, ViewsKeepTheirStrides) {
  const Tensor x = Tensor::arange(24).reshape({2, 3, 4});
  for (const Tensor& view : {x.transpose(0, 2), x.slice(1, 1, 3), x.slice(2, -1, INT64_MIN, -2),
                             x.select(0, 1), x.select(0, 0).unsqueeze(0).expand({5, 3, 4}),
                             x.slice(0, 0, 0), Tensor::scalar(3, DType::i64)}) {
    const Tensor back = dlpack::import_tensor(dlpack::export_tensor(view));
    EXPECT_EQ(back.strides(), view.strides());
    EXPECT_EQ(back.to_vector<int64_t>(), view.to_vector<int64_t>());
  }
}

TEST(DLPack, ExportedTensorsLiveUntilTheDeleterRuns) {
  const int64_t before = cpu_device().allocator().stats().in_use;
  ManagedTensor* managed = dlpack::export_tensor(Tensor::full({3}, 7).slice(0, 1, 3));
  EXPECT_EQ(static_cast<float*>(managed->tensor.data)[0], 7);
  EXPECT_EQ(managed->tensor.shape[0], 2);
  EXPECT_EQ(managed->tensor.type.code, 2);
  EXPECT_EQ(managed->tensor.type.bits, 32);
  managed->deleter(managed);
  EXPECT_EQ(cpu_device().allocator().stats().in_use, before);
}

TEST(DLPack, ImportedTensorsAreReleasedOnce) {
  Foreign foreign;
  {
    Tensor row = dlpack::import_tensor(&foreign.managed).select(0, 1);
    EXPECT_EQ(row.to_vector<float>(), (std::vector<float>{3, 4, 5}));
    row.fill(9);
    EXPECT_EQ(foreign.released, 0);
  }
  EXPECT_EQ(foreign.released, 1);
  EXPECT_EQ(foreign.data[5], 9);
}

TEST(DLPack, OptionalPartsMayBeMissing) {
  Foreign foreign;
  foreign.managed.tensor.strides = nullptr;
  foreign.managed.tensor.byte_offset = 4;
  foreign.managed.deleter = nullptr;
  foreign.shape = {1, 5};
  const Tensor x = dlpack::import_tensor(&foreign.managed);
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{1, 2, 3, 4, 5}));
  foreign.shape = {0, 5};
  foreign.managed.tensor.data = nullptr;
  EXPECT_EQ(dlpack::import_tensor(&foreign.managed).numel(), 0);
}

TEST(DLPack, WhatCannotBeSharedStaysWithTheCaller) {
  const auto message_of = [](auto&& change) {
    Foreign foreign;
    change(foreign);
    std::string message = "no error";
    try {
      dlpack::import_tensor(&foreign.managed);
    } catch (const Error& error) {
      message = error.message();
    }
    EXPECT_EQ(foreign.released, 0);
    return message;
  };
  EXPECT_EQ(message_of([](Foreign& f) {
              f.managed.tensor.device = {2, 0};
            }),
            "dlpack: the tensor is on device type 2; move it to the CPU (type 1) first");
  EXPECT_EQ(message_of([](Foreign& f) { f.managed.tensor.type.lanes = 4; }),
            "dlpack: elements are vectors of 4 lanes; share them as an axis instead");
  EXPECT_EQ(message_of([](Foreign& f) { f.managed.tensor.type.bits = 8; }),
            "dlpack: elements of type code 2 with 8 bits are unknown; convert them to f32 first");
  EXPECT_EQ(message_of([](Foreign& f) { f.managed.tensor.byte_offset = 2; }),
            "dlpack: the data of type f32 is not aligned to 4 bytes; copy it first");
  EXPECT_EQ(message_of([](Foreign& f) {
              f.strides[0] = INT64_MAX;
              f.shape[0] = 3;
            }),
            "dlpack: shape [3, 3] with strides [9223372036854775807, 1] reaches past the address "
            "space; correct them");
  EXPECT_EQ(message_of([](Foreign& f) { f.managed.tensor.data = nullptr; }),
            "dlpack: shape [2, 3] comes without data; point to it");
  EXPECT_NE(message_of([](Foreign& f) { f.managed.tensor.rank = -1; }), "no error");
  EXPECT_NE(message_of([](Foreign& f) {
              f.managed.tensor.rank = 100;
              f.shape.resize(100);
              f.managed.tensor.shape = f.shape.data();
            }),
            "no error");
  EXPECT_NE(message_of([](Foreign& f) { f.shape[0] = -2; }), "no error");
  EXPECT_THROW(dlpack::export_tensor(Tensor::strings({"a"}, {1})), Error);
  EXPECT_THROW(dlpack::export_tensor(Tensor()), Error);
  EXPECT_THROW(dlpack::import_tensor(nullptr), Error);
}

}  // namespace
}  // namespace tenon
