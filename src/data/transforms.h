// The transforms that come with Tenon. Geometric ones move every image and mask of an item
// together, and work on [height, width] and [height, width, channels], u8 or f32; they go before
// normalize, which turns images into what a model takes.
#pragma once

#include <cstdint>
#include <vector>

#include "data/transform.h"

namespace tenon::data {

// u8 0..255 becomes f32 0..1, still [height, width, channels] and an image.
TransformPtr to_float();

// (x - mean) / deviation in f32 as [channels, height, width]; u8 0..255 counts as 0..1. One number
// for all channels, or one each.
TransformPtr normalize(std::vector<float> mean = {0}, std::vector<float> deviation = {1});

// To exactly height x width: bilinear with antialiasing (a triangle as wide as a new pixel, as in
// Pillow and torchvision) for images, nearest for masks.
TransformPtr resize(int64_t height, int64_t width);
// The shorter side to `size`, keeping the proportions.
TransformPtr resize_shorter(int64_t size);

// height x width from a random place of the image with `padding` zero pixels around it.
TransformPtr random_crop(int64_t height, int64_t width, int64_t padding = 0);
// height x width from the middle.
TransformPtr center_crop(int64_t height, int64_t width);

// Mirrors left and right with probability p.
TransformPtr horizontal_flip(double p = 0.5);

}  // namespace tenon::data
