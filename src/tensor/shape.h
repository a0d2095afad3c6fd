// Concrete sizes of a tensor, held inline: no allocation on the eager path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace tenon {

inline constexpr size_t kMaxRank = 12;

// A list of at most kMaxRank int64, used for sizes, strides, axes and permutations.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);
  Shape(const std::vector<int64_t>& sizes) : Shape(std::span<const int64_t>(sizes)) {}
  Shape(size_t rank, int64_t value);
  Shape(const Shape& other) : rank_(other.rank_) { copy(other); }
  Shape& operator=(const Shape& other) {
    rank_ = other.rank_;
    copy(other);
    return *this;
  }

  size_t rank() const { return rank_; }
  size_t size() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](size_t i) const { return sizes_[i]; }
  int64_t& operator[](size_t i) { return sizes_[i]; }
  int64_t back() const { return sizes_[rank_ - 1]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }
  int64_t* begin() { return sizes_.data(); }
  int64_t* end() { return sizes_.data() + rank_; }
  operator std::span<const int64_t>() const { return {sizes_.data(), rank_}; }
  std::vector<int64_t> vector() const { return {begin(), end()}; }

  void push_back(int64_t size);
  void insert(size_t at, int64_t size);
  void erase(size_t at);

  int64_t numel() const;            // 1 for rank 0
  Shape row_major_strides() const;  // in elements
  bool operator==(const Shape& other) const;
  std::string str() const;  // "[2, 3]"

 private:
  void copy(const Shape& other) {
    for (size_t i = 0; i < rank_; ++i) sizes_[i] = other.sizes_[i];
  }

  uint8_t rank_ = 0;
  std::array<int64_t, kMaxRank> sizes_;
};

// NumPy broadcasting of two shapes; the error names both.
Shape broadcast(const Shape& a, const Shape& b);

// -1 counts from the end. Fails with "<where>: axis 3 is outside ...; use -2 to 1".
int64_t normalize_axis(int64_t axis, size_t rank, std::string_view where);

}  // namespace tenon
