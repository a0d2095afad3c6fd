// Error kinds, their outside codes, and the assembly of the text a user reads.
#include "base/error.h"

#include <array>
#include <utility>

namespace tenon {

namespace {

// Exit codes: design section 6. HTTP: RFC 9110. gRPC: google.rpc.Code.
constexpr std::array<ErrorKindInfo, 6> kKinds{{
    {"usage", 2, 400, 3},
    {"data", 3, 400, 3},
    {"unsupported", 4, 501, 12},
    {"resource", 5, 503, 8},
    {"cancelled", 130, 499, 1},
    {"bug", 70, 500, 13},
}};

}  // namespace

const ErrorKindInfo& info(ErrorKind kind) { return kKinds[static_cast<size_t>(kind)]; }

Error::Error(ErrorKind kind, std::string message)
    : kind_(kind), message_(std::move(message)), full_(message_) {}

Error::Error(const Error& other) = default;
Error& Error::operator=(const Error& other) = default;
Error::~Error() = default;

const char* Error::what() const noexcept { return full_.c_str(); }

void Error::add_context(std::string context) {
  full_ += "\n  ";
  full_ += context;
  contexts_.push_back(std::move(context));
}

void fail_formatted(ErrorKind kind, fmt::string_view format, fmt::format_args args) {
  throw Error(kind, fmt::vformat(format, args));
}

void fail_bug(const char* file, int line, std::string message) {
  std::string_view path(file);
  if (auto src = path.rfind("src/"); src != std::string_view::npos) path.remove_prefix(src);
  throw Error(ErrorKind::bug, fmt::format("{} ({}:{}); this is a bug in Tenon, please report it",
                                          message, path, line));
}

}  // namespace tenon
