#include "train/fit.h"

#include <chrono>
#include <cmath>

#include "autograd/autograd.h"
#include "base/error.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/trace.h"
#include "nn/loss.h"
#include "runtime/dispatch.h"
#include "runtime/random.h"

namespace tenon::train {

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Scales the gradients so that all together have at most this norm (Pascanu et al., "On the
// difficulty of training recurrent neural networks", 2013).
void clip_gradients(const TensorList& parameters, double limit) {
  const NoGrad no_grad;
  double sum = 0;
  for (const Tensor& parameter : parameters)
    if (const Tensor grad = parameter.grad()) sum += (grad * grad).sum().item<double>();
  const double norm = std::sqrt(sum);
  if (!(norm > limit)) return;
  for (Tensor parameter : parameters)
    if (const Tensor grad = parameter.grad()) parameter.set_grad(grad * (limit / norm));
}

class Fit {
 public:
  Fit(nn::Module& model, const Loss& loss, nn::Optimizer& optimizer, data::Loader& loader,
      const FitOptions& options)
      : model_(model),
        loss_(loss),
        optimizer_(optimizer),
        loader_(loader),
        options_(options),
        base_rate_(optimizer.lr()),
        parameters_(model.parameters()) {
    TENON_CHECK(options.epochs >= 0, usage, "fit: epochs is {}; use 0 or more", options.epochs);
    TENON_CHECK(loader.batches() > 0, usage,
                "fit: the loader has no batches; use more items, or a smaller batch");
    watch_ = watched();
  }

  History run() {
    const bool was_training = model_.training();
    if (options_.resume) resume(*options_.resume);
    if (!options_.checkpoint.folder.empty()) create_directories(options_.checkpoint.folder);
    state_.random = random_state();
    state_.loader = loader_.state();
    for (const CallbackPtr& callback : options_.callbacks) callback->on_start(state_);
    // The same settings may be resumed with more epochs than before.
    if (state_.epoch < options_.epochs && !out_of_patience()) state_.finished = false;
    try {
      while (state_.epoch < options_.epochs && !state_.finished) epoch();
    } catch (const Error& error) {
      optimizer_.set_lr(base_rate_);
      if (error.kind() != ErrorKind::cancelled) throw;
      stopped(error);
    }
    optimizer_.set_lr(base_rate_);
    model_.train(was_training);
    if (!state_.finished) {
      state_.finished = true;
      save_last();
    }
    for (const CallbackPtr& callback : options_.callbacks) callback->on_end(state_);
    return state_.history;
  }

 private:
  std::string watched() const {
    if (!options_.watch.empty()) return options_.watch;
    if (!options_.validation) return "";
    return options_.classification ? "validation_accuracy" : "validation_loss";
  }

  bool out_of_patience() const {
    return options_.patience > 0 && state_.best &&
           state_.epoch - state_.best_epoch >= options_.patience;
  }

  void resume(const Checkpoint& from) {
    TENON_CHECK(from.state, data,
                "fit: the checkpoint holds a model alone, so there is nothing to resume; use "
                "last.safetensors");
    TENON_CHECK(from.state->loader.batch <= loader_.batches(), data,
                "fit: the checkpoint stands at batch {} of an epoch, but the loader has {}; resume "
                "with the same data "
                "and batch size",
                from.state->loader.batch, loader_.batches());
    with_context([] { return "while resuming"; },
                 [&] {
                   model_.load_state(from.model);
                   optimizer_.load_state(from.optimizer);
                 });
    state_ = *from.state;
    loader_.set_state(state_.loader);
    set_random_state(state_.random);
  }

  Checkpoint checkpoint() const {
    return {.info = options_.info,
            .model = model_.state(),
            .optimizer = optimizer_.state(),
            .state = state_};
  }

  // "" where no folder is set.
  std::string save_last() {
    if (options_.checkpoint.folder.empty()) return "";
    TENON_TRACE("io", "save checkpoint");
    state_.random = random_state();
    std::string path = options_.checkpoint.folder + "/last.safetensors";
    save_checkpoint(path, checkpoint());
    return path;
  }

  [[noreturn]] void stopped(const Error& reason) {
    model_.train();
    const std::string path = save_last();
    fail(ErrorKind::cancelled, "{} in epoch {} after step {}; {}", reason.message(),
         state_.epoch + 1, state_.step,
         path.empty() ? std::string("nothing was saved, since no checkpoint folder is set")
                      : fmt::format("all is saved in {}: resume to go on from there", path));
  }

  double step(const Tensor& input, const Tensor& target) {
    TENON_TRACE("train", "step", "step", state_.step);
    if (options_.schedule) optimizer_.set_lr(base_rate_ * options_.schedule->factor(state_.step));
    optimizer_.zero_grad();
    const Tensor output = model_(input);
    const Tensor loss = loss_(output, target);
    loss.backward();
    if (options_.clip_norm > 0) clip_gradients(parameters_, options_.clip_norm);
    optimizer_.step();
    const auto value = loss.item<double>();
    TENON_CHECK(std::isfinite(value), data,
                "fit: the loss is {} at step {} (learning rate {}); use a smaller learning rate, "
                "or clip_norm, and look "
                "for values in the data that are not finite",
                value, state_.step + 1, text::human_number(optimizer_.lr()));
    const int64_t count = target.size(0);
    state_.loss_sum += value * static_cast<double>(count);
    state_.seen += count;
    if (options_.classification) state_.correct += count_correct(output, target);
    return value;
  }

  void epoch() {
    const auto start = Clock::now();
    const double before = state_.epoch_seconds, total_before = state_.train_seconds;
    const auto note_time = [&] {
      state_.epoch_seconds = before + seconds_since(start);
      state_.train_seconds = total_before + seconds_since(start);
    };
    std::optional<Progress> progress;
    if (options_.progress) {
      progress.emplace(fmt::format("epoch {}/{}", state_.epoch + 1, options_.epochs),
                       static_cast<uint64_t>(loader_.items()), "items");
      progress->set(static_cast<uint64_t>(state_.seen));
    }
    model_.train();
    train_batches(progress, note_time);
    note_time();
    EpochRecord record{
        .epoch = state_.epoch + 1,
        .step = state_.step,
        .items_per_second = static_cast<double>(state_.seen) / std::max(state_.epoch_seconds, 1e-9),
        .rate = optimizer_.lr()};
    const auto seen = static_cast<double>(std::max<int64_t>(state_.seen, 1));
    record.values.emplace_back("train_loss", state_.loss_sum / seen);
    if (options_.classification)
      record.values.emplace_back("train_accuracy", static_cast<double>(state_.correct) / seen);
    if (options_.validation) validate(record);
    if (progress) {
      if (const double* loss = record.find("validation_loss"))
        progress->value("validation loss", *loss);
      if (const double* accuracy = record.find("validation_accuracy"))
        progress->value("validation accuracy", *accuracy);
      progress->finish();
    }
    note_time();
    record.seconds = state_.epoch_seconds;
    end_epoch(std::move(record));
  }

  template <class NoteTime>
  void train_batches(std::optional<Progress>& progress, const NoteTime& note_time) {
    while (const std::optional<data::Sample> batch = loader_.next()) {
      const Tensor& target = (*batch)[options_.target];
      const double loss = step((*batch)[options_.input], target);
      ++state_.step;
      state_.loader = loader_.state();
      for (const CallbackPtr& callback : options_.callbacks)
        callback->on_step({state_.epoch + 1, state_.step, loss, optimizer_.lr()});
      if (progress) {
        const auto seen = static_cast<double>(state_.seen);
        progress->value("loss", state_.loss_sum / seen);
        if (options_.classification)
          progress->value("accuracy", static_cast<double>(state_.correct) / seen);
        progress->advance(static_cast<uint64_t>(target.size(0)));
      }
      note_time();
      const int64_t every = options_.checkpoint.every_steps;
      if (every > 0 && state_.step % every == 0) save_last();
      options_.cancellation.check("train");
    }
  }

  void validate(EpochRecord& record) {
    const Evaluation result = evaluate(model_, options_.validation,
                                       {.input = options_.input,
                                        .target = options_.target,
                                        .batch = options_.validation_batch,
                                        .loss = loss_,
                                        .classification = options_.classification,
                                        .cancellation = options_.cancellation});
    if (result.loss) record.values.emplace_back("validation_loss", *result.loss);
    if (result.accuracy) record.values.emplace_back("validation_accuracy", *result.accuracy);
  }

  void end_epoch(EpochRecord record) {
    ++state_.epoch;
    state_.loader = loader_.state();
    state_.loss_sum = state_.epoch_seconds = 0;
    state_.seen = state_.correct = 0;
    const bool best = is_best(record);
    state_.history.push_back(std::move(record));
    state_.finished = state_.epoch >= options_.epochs || out_of_patience();
    const CheckpointOptions& to = options_.checkpoint;
    if (!to.folder.empty()) {
      if (best && to.best) {
        Checkpoint model_alone = checkpoint();
        model_alone.optimizer.clear();
        model_alone.state.reset();
        save_checkpoint(to.folder + "/best.safetensors", model_alone);
      }
      if (state_.finished || (to.every_epochs > 0 && state_.epoch % to.every_epochs == 0)) {
        save_last();
        keep_latest();
      }
    }
    for (const CallbackPtr& callback : options_.callbacks)
      callback->on_epoch_end(state_.history.back(), state_);
  }

  void keep_latest() {
    const CheckpointOptions& to = options_.checkpoint;
    if (to.keep <= 0) return;
    const auto path = [&](int64_t epoch) {
      return fmt::format("{}/epoch-{:04}.safetensors", to.folder, epoch);
    };
    save_checkpoint(path(state_.epoch), checkpoint());
    const int64_t every = std::max<int64_t>(to.every_epochs, 1);
    for (int64_t old = state_.epoch - to.keep * every; old > 0; old -= every)
      remove_file(path(old));
  }

  bool is_best(const EpochRecord& record) {
    if (watch_.empty()) return false;
    const double* value = record.find(watch_);
    if (!value) {
      std::vector<std::string> names;
      for (const auto& [name, measured] : record.values) names.push_back(name);
      fail(ErrorKind::usage, "fit: the watched metric '{}' is not measured{}", watch_,
           text::suggestion(watch_, names));
    }
    const bool higher = watch_.ends_with("accuracy");
    if (state_.best && !(higher ? *value > *state_.best : *value < *state_.best)) return false;
    state_.best = *value;
    state_.best_epoch = state_.epoch;
    return true;
  }

  nn::Module& model_;
  const Loss& loss_;
  nn::Optimizer& optimizer_;
  data::Loader& loader_;
  const FitOptions& options_;
  double base_rate_;
  TensorList parameters_;
  std::string watch_;
  FitState state_;
};

}  // namespace

Tensor cross_entropy(const Tensor& output, const Tensor& target) {
  return nn::cross_entropy(output, target);
}
Tensor mse(const Tensor& output, const Tensor& target) { return nn::mse_loss(output, target); }

History fit(nn::Module& model, const Loss& loss, nn::Optimizer& optimizer, data::Loader& loader,
            const FitOptions& options) {
  return Fit(model, loss, optimizer, loader, options).run();
}

}  // namespace tenon::train
