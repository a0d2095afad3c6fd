// Classifiers of images [batch, 3, 224, 224] into 1000 classes, as torchvision has them.
#pragma once

#include <memory>

#include "nn/module.h"

namespace bench {

// He et al., "Deep residual learning for image recognition", 2016.
std::shared_ptr<tenon::nn::Module> resnet18();
std::shared_ptr<tenon::nn::Module> resnet50();
// Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018; width 1.
std::shared_ptr<tenon::nn::Module> mobilenet_v2();

}  // namespace bench
