// A ring of slots between the workers, who claim batch numbers in order, and next(), which takes
// them in order.
#include "data/loader.h"

#include <algorithm>
#include <new>

#include "base/metrics.h"
#include "base/threads.h"
#include "base/trace.h"
#include "data/decorators.h"

namespace tenon::data {

namespace {

SourcePtr batches_of(SourcePtr source, const LoaderOptions& options) {
  if (options.shuffle) source = shuffle(std::move(source), options.seed);
  if (options.ranks > 1) source = shard(std::move(source), options.rank, options.ranks);
  return source;
}

// Adds up to the end of the scope; a failed read counts too.
class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total) {}
  ~Stopwatch() {
    const double seconds = static_cast<double>(trace::now_ns() - start_) * 1e-9;
    static metrics::Counter& waited = metrics::registry().counter(
        "tenon_data_wait_seconds_total", "Time training waited for the next batch of data.");
    waited.add(seconds);
    total_ += seconds;
  }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  double& total_;
  int64_t start_ = trace::now_ns();
};

void count_batch(const Sample& batch) {
  static metrics::Counter& batches =
      metrics::registry().counter("tenon_data_batches_total", "Batches of data delivered.");
  static metrics::Counter& items =
      metrics::registry().counter("tenon_data_items_total", "Items of data delivered.");
  batches.add();
  items.add(static_cast<double>(batch.begin()->value.size(0)));
}

}  // namespace

Loader::Loader(SourcePtr source, const LoaderOptions& options) : options_(options) {
  TENON_CHECK(options.batch >= 1 && options.workers >= 0 && options.prefetch >= 1, usage,
              "loader: batch {}, workers {}, prefetch {}: batch and prefetch are at least 1, "
              "workers at least 0",
              options.batch, options.workers, options.prefetch);
  source = batches_of(std::move(source), options);
  items_ = source->size();
  batches_ = data::batch(std::move(source), options.batch, options.drop_last);
  TENON_CHECK(batches_->size() > 0, usage,
              "loader: {} items make no batch of {}{}; use more data or a smaller batch", items_,
              options.batch, options.drop_last ? " without a smaller last one" : "");
}

Loader::~Loader() { stop(); }

std::optional<Sample> Loader::next() {
  if (state_.batch == batches()) {
    state_ = {state_.epoch + 1, 0};
    return std::nullopt;
  }
  Slot slot;
  {
    const Stopwatch stopwatch(waited_);
    TENON_TRACE("data", "wait for data", "epoch", state_.epoch, "batch", state_.batch);
    slot = options_.workers == 0 ? make(state_.epoch * batches() + state_.batch) : take();
  }
  if (slot.error) {
    stop();
    throw *std::move(slot.error);
  }
  ++state_.batch;
  count_batch(slot.batch);
  return std::move(slot.batch);
}

void Loader::set_state(State state) {
  TENON_CHECK(state.epoch >= 0 && state.batch >= 0 && state.batch <= batches(), usage,
              "loader: there is no batch {} of epoch {}; an epoch has {} batches. Was the state "
              "saved with other "
              "data or another batch size?",
              state.batch, state.epoch, batches());
  stop();
  state_ = state;
}

// Never throws: what goes wrong on a worker is told by next().
Loader::Slot Loader::make(int64_t sequence) const {
  const int64_t epoch = sequence / batches();
  const int64_t batch = sequence % batches();
  Slot slot;
  slot.ready = true;
  TENON_TRACE("data", "make batch", "epoch", epoch, "batch", batch);
  try {
    slot.batch = batches_->read(batch, epoch);
  } catch (const Error& error) {
    slot.error = error;
  } catch (const std::bad_alloc&) {
    slot.error = Error(ErrorKind::resource,
                       "loader: no memory for a batch; use a smaller batch or prefetch less");
  } catch (const std::exception& error) {
    slot.error = Error(ErrorKind::bug, fmt::format("loader: {}; please report it", error.what()));
  }
  if (slot.error)
    slot.error->add_context(fmt::format("while loading batch {} of epoch {}", batch, epoch));
  return slot;
}

Loader::Slot Loader::take() {
  if (workers_.empty()) start();
  std::unique_lock lock(mutex_);
  Slot& place = slots_[static_cast<size_t>(delivered_) % slots_.size()];
  ready_.wait(lock, [&] { return place.ready; });
  Slot slot = std::exchange(place, Slot{});
  ++delivered_;
  if (trace::enabled())
    trace::counter("batches ready",
                   static_cast<double>(std::count_if(slots_.begin(), slots_.end(),
                                                     [](const Slot& s) { return s.ready; })));
  lock.unlock();
  room_.notify_one();
  return slot;
}

void Loader::start() {
  slots_.assign(static_cast<size_t>(options_.prefetch), Slot{});
  claimed_ = delivered_ = state_.epoch * batches() + state_.batch;
  stopping_ = false;
  try {
    for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& error) {
    stop();
    fail(ErrorKind::resource, "loader: worker {} of {} was not started: {}; use fewer workers",
         workers_.size() + 1, options_.workers, error.what());
  }
}

void Loader::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  slots_.clear();
}

void Loader::work(int worker) {
  trace::set_thread_name(fmt::format("loader {}", worker));
  const ThreadLimit limit(1);  // the rest of the machine is the model's
  for (;;) {
    int64_t sequence = 0;
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock, [&] {
        return stopping_ || claimed_ < delivered_ + static_cast<int64_t>(slots_.size());
      });
      if (stopping_) return;
      sequence = claimed_++;
    }
    Slot slot = make(sequence);
    {
      const std::lock_guard lock(mutex_);
      slots_[static_cast<size_t>(sequence) % slots_.size()] = std::move(slot);
    }
    ready_.notify_one();
  }
}

}  // namespace tenon::data
