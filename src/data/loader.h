// Loader: batches of a source, made ahead by worker threads, in an order that does not depend on
// how many there are.
//
//   Loader loader(train, {.batch = 128, .shuffle = true, .seed = 1, .workers = 2});
//   for (int epoch = 0; epoch < 10; ++epoch)
//     while (std::optional<Sample> batch = loader.next()) step((*batch)["image"],
//     (*batch)["label"]);
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"
#include "data/source.h"

namespace tenon::data {

struct LoaderOptions {
  int64_t batch = 32;
  bool shuffle = false;  // anew every epoch, by `seed`
  uint64_t seed = 0;
  bool drop_last = false;  // leave out a last batch that is smaller
  int workers = 2;         // threads; 0 makes batches inside next()
  int prefetch = 4;        // batches made ahead of next(), by all workers together
  int64_t rank = 0;   // of `ranks` processes that share the data: each epoch's order is dealt out
  int64_t ranks = 1;  // among them, equally many items each
};

class Loader {
 public:
  Loader(SourcePtr source, const LoaderOptions& options);
  // At any moment, in the middle of an epoch too: waits for the batches in the making.
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch; nothing at the end of each epoch, after which the next one begins. A failure to
  // read is thrown here, at the place of its batch, with the item in its contexts; the same call
  // after it tries again, and set_state() can go on behind it. For one thread at a time.
  std::optional<Sample> next();

  // Batches an epoch.
  int64_t batches() const { return batches_->size(); }
  // Items this process sees an epoch, those of a dropped last batch included.
  int64_t items() const { return items_; }
  // Of batches: the fields have a leading axis.
  const Schema& schema() const { return batches_->schema(); }

  // What next() gives next: batch `batch` of epoch `epoch`. A loader of equal source and options
  // that is set to it goes on exactly there.
  struct State {
    int64_t epoch = 0;
    int64_t batch = 0;
    bool operator==(const State&) const = default;
  };
  State state() const { return state_; }
  // Fails (usage) outside 0 <= batch <= batches().
  void set_state(State state);

  // Seconds next() has waited for workers (or made batches itself) since the loader was made.
  // Also in the metric tenon_data_wait_seconds_total, and in traces as "wait for data".
  double waited() const { return waited_; }

 private:
  struct Slot {
    bool ready = false;
    Sample batch;
    std::optional<Error> error;
  };

  Slot make(int64_t sequence) const;
  Slot take();
  void start();
  void stop();
  void work(int worker);

  SourcePtr batches_;  // the source, shuffled, dealt out and batched
  int64_t items_ = 0;
  LoaderOptions options_;
  State state_;
  double waited_ = 0;

  // Batch number n (epoch * batches + batch) is made in slots_[n % slots_.size()].
  std::mutex mutex_;
  std::condition_variable room_;   // for workers: claimed_ may go on, or stopping_
  std::condition_variable ready_;  // for next(): a slot was filled
  std::vector<Slot> slots_;
  int64_t claimed_ = 0;    // the next number a worker takes
  int64_t delivered_ = 0;  // the next number for next()
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace tenon::data
