// The one exception type of Tenon, and the two doors to it: TENON_CHECK for what input can cause,
// TENON_BUG_IF for what only a mistake of ours can cause.
#pragma once

#include <fmt/core.h>

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace tenon {

enum class ErrorKind {
  usage,        // the caller asked for something wrong: a flag, an argument, a shape
  data,         // a file or message is malformed or does not fit
  unsupported,  // well-formed, but outside what Tenon does
  resource,     // memory, disk, files, network
  cancelled,    // the user or a signal asked to stop
  bug,          // a mistake in Tenon
};

// One row per kind: the name users see and what it becomes outside the process.
struct ErrorKindInfo {
  std::string_view name;
  int exit_code;
  int http_status;
  int grpc_code;
};
const ErrorKindInfo& info(ErrorKind kind);

// Carries a message of three clauses (where, what with the values, what to do) and the contexts
// ("while importing node conv1 of resnet.onnx") that were added on the way up, innermost first.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message);
  Error(const Error& other);
  Error& operator=(const Error& other);
  ~Error() override;

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const std::vector<std::string>& contexts() const { return contexts_; }
  // The message followed by its contexts, one a line.
  const char* what() const noexcept override;

  void add_context(std::string context);

 private:
  ErrorKind kind_;
  std::string message_;
  std::vector<std::string> contexts_;
  std::string full_;
};

// What the templates that check their formats call: one copy for all, instead of one a call.
[[noreturn]] void fail_formatted(ErrorKind kind, fmt::string_view format, fmt::format_args args);

template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  fail_formatted(kind, format, fmt::make_format_args(args...));
}

[[noreturn]] void fail_bug(const char* file, int line, std::string message);

// Runs `body`; an Error that leaves it gets `context()` added, so the text is only made on failure.
template <class Context, class Body>
decltype(auto) with_context(Context&& context, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (Error& error) {
    error.add_context(context());
    throw;
  }
}

}  // namespace tenon

// TENON_CHECK(axis < rank, usage, "softmax: axis {} is outside x of rank {}", axis, rank);
#define TENON_CHECK(condition, kind, ...)                   \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::tenon::fail(::tenon::ErrorKind::kind, __VA_ARGS__); \
  } while (false)

#define TENON_BUG_IF(condition, ...)                                     \
  do {                                                                   \
    if (condition) [[unlikely]]                                          \
      ::tenon::fail_bug(__FILE__, __LINE__, ::fmt::format(__VA_ARGS__)); \
  } while (false)
