// The same error seen from a file: what a caller would have done wrong, a file has wrong.
#pragma once

#include "base/error.h"

namespace tenon::formats {

inline Error as_kind(const Error& error, ErrorKind kind) {
  Error changed(kind, error.message());
  for (const std::string& context : error.contexts()) changed.add_context(context);
  return changed;
}

}  // namespace tenon::formats
