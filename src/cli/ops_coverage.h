// tenon ops --coverage: what each operator has, found out by preparing its samples.
#pragma once

#include <vector>

#include "base/json.h"
#include "ops/op.h"

namespace tenon::cli {

// How an operator's samples run, by the type that they were tried with.
struct Coverage {
  const OpDef* op = nullptr;
  TypeSet fast;    // nothing runs on the reference backend
  TypeSet partly;  // some samples do
  TypeSet slow;    // all do

  // The type that matters most: f32, else the first of i64, i32, bool, ... that it takes.
  DType usual() const;
  bool is_fast() const { return fast.has(usual()); }
  std::string cpu() const;        // "kernel", "view", "expansion", "in place" or "-"
  std::string reference() const;  // "kernel", "expansion", "in place" or "-"
};

// Runs the operator's samples where it must: those of expansions.
Coverage coverage_of(const OpDef& op);

void print_coverage_table();
void print_coverage_markdown();
Json coverage_json();

}  // namespace tenon::cli
