// The training loop.
//
//   Net model;
//   nn::Adam optimizer(model, {.lr = 1e-3});
//   data::Loader loader(train, {.batch = 128, .shuffle = true});
//   train::History history = train::fit(model, train::cross_entropy, optimizer, loader,
//                                       {.epochs = 5, .validation = test});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/cancellation.h"
#include "data/loader.h"
#include "nn/module.h"
#include "nn/optimizer.h"
#include "nn/schedule.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/history.h"

namespace tenon::train {

// nn::cross_entropy and nn::mse_loss with their defaults, as values.
Tensor cross_entropy(const Tensor& output, const Tensor& target);
Tensor mse(const Tensor& output, const Tensor& target);

struct StepReport {
  int64_t epoch = 0;  // from 1
  int64_t step = 0;   // from 1, over the whole run
  double loss = 0;
  double rate = 0;
};

// Told of what happens. Errors it throws end the training.
class Callback {
 public:
  virtual ~Callback() = default;
  virtual void on_start(const FitState&) {}
  virtual void on_step(const StepReport&) {}
  virtual void on_epoch_end(const EpochRecord&, const FitState&) {}
  virtual void on_end(const FitState&) {}
};
using CallbackPtr = std::shared_ptr<Callback>;

struct CheckpointOptions {
  std::string folder = {};   // none: no checkpoints
  int64_t every_epochs = 1;  // last.safetensors; 0: at the end alone
  int64_t every_steps = 0;   // also within an epoch; 0: never
  int64_t keep = 0;          // so many epoch-NNNN.safetensors besides, the latest
  bool best = true;          // best.safetensors, whenever the watched metric improves
};

struct FitOptions {
  int64_t epochs = 1;
  std::string input = "image";
  std::string target = "label";
  bool classification = true;                         // measures accuracy
  std::shared_ptr<const nn::Schedule> schedule = {};  // by step; none: the rate stays
  double clip_norm = 0;             // scales gradients to this norm at most; 0: as they are
  data::SourcePtr validation = {};  // evaluated after each epoch
  int64_t validation_batch = 256;
  // Decides what is best: a name of EpochRecord::values. "": the validation's accuracy, or what of
  // it there is.
  std::string watch = {};
  int64_t patience = 0;  // epochs without improvement before it stops; 0: never
  CheckpointOptions checkpoint = {};
  ModelInfo info = {};  // kept in checkpoints
  // Goes on where a checkpoint stood, bit for bit. Fails (data) when it does not fit model,
  // optimiser or loader.
  const Checkpoint* resume = nullptr;
  std::vector<CallbackPtr> callbacks = {};
  bool progress = true;
  // When it is cancelled, or Ctrl-C arrives (base/cancellation.h), the step under way is finished,
  // a checkpoint saved, and fit fails (cancelled), saying so.
  Cancellation cancellation = Cancellation(true);
};

// Trains `model` by `optimizer` on the loader's batches. Returns all epochs of the run, those
// before a resumption included. The rate of `optimizer` is the base that the schedule multiplies.
History fit(nn::Module& model, const Loss& loss, nn::Optimizer& optimizer, data::Loader& loader,
            const FitOptions& options = {});

}  // namespace tenon::train
