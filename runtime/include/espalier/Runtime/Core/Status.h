//===- Status.h - Result of an operation that can fail ----------*- C++ -*-===//
//
// How the runtime reports failure: a code that tells the caller what to do, and a message for people. No exception
// crosses a public function of the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_CORE_STATUS_H
#define ESPALIER_RUNTIME_CORE_STATUS_H

#include <fmt/core.h>

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace espalier::rt {

/// Whose fault a failure is. The values are the exit codes of the command line.
enum class StatusCode {
  Ok = 0,
  InvalidInput = 1,  ///< a file or value is wrong; the message names the place
  Usage = 2,         ///< the caller asked wrongly (flags, arguments)
  Unsupported = 3,   ///< valid input that this build, device or artifact cannot handle
  Environment = 4,   ///< disk full, no permission, no such file or device
  Interrupted = 130, ///< the user asked to stop
};

/// Success, or a code with a message. Success is a null pointer, so that testing for it costs nothing.
class [[nodiscard]] Status {
public:
  Status() = default;

  /// A failure; `code` is not Ok. Messages are lower case and without a final period.
  Status(StatusCode code, std::string message) : failure(new Failure{code, std::move(message)}) {
    assert(code != StatusCode::Ok && "success carries no message");
  }

  bool ok() const { return !failure; }
  StatusCode code() const { return failure ? failure->code : StatusCode::Ok; }
  /// The message of a failure; empty on success.
  std::string_view message() const { return failure ? std::string_view(failure->message) : std::string_view(); }
  /// What a process that ends because of this status returns.
  int exitCode() const { return static_cast<int>(code()); }

  /// Says what was being done: prefixes the message of a failure with "`context`: ". Leaves success alone.
  Status in(std::string_view context) &&;

private:
  struct Failure {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<Failure> failure;
};

/// \name Failures with a formatted message.
/// @{
template <typename... Args> Status invalidInput(fmt::format_string<Args...> format, Args &&...args) {
  return {StatusCode::InvalidInput, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args> Status usageError(fmt::format_string<Args...> format, Args &&...args) {
  return {StatusCode::Usage, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args> Status unsupported(fmt::format_string<Args...> format, Args &&...args) {
  return {StatusCode::Unsupported, fmt::format(format, std::forward<Args>(args)...)};
}
template <typename... Args> Status environmentError(fmt::format_string<Args...> format, Args &&...args) {
  return {StatusCode::Environment, fmt::format(format, std::forward<Args>(args)...)};
}
/// @}

/// A value, or the failure that prevented it.
template <typename T> class [[nodiscard]] Expected {
public:
  Expected(T value) : value(std::move(value)) {}
  Expected(Status failure) : failure(std::move(failure)) {
    assert(!this->failure.ok() && "an Expected without a value needs a failure");
  }

  bool ok() const { return value.has_value(); }
  explicit operator bool() const { return ok(); }

  T &operator*() & { return *value; }
  const T &operator*() const & { return *value; }
  T &&operator*() && { return std::move(*value); }
  T *operator->() { return &*value; }
  const T *operator->() const { return &*value; }

  const Status &status() const { return failure; }
  /// Moves the failure out, to be returned or annotated: `return x.takeStatus().in("reading the recipe")`.
  Status takeStatus() { return std::move(failure); }

private:
  std::optional<T> value;
  Status failure;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_STATUS_H
