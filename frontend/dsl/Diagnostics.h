//===- Diagnostics.h - Messages of the architecture language ----*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_DIAGNOSTICS_H
#define ESPALIER_FRONTEND_DSL_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/FormatVariadic.h"
#include <optional>

namespace espalier::dsl {

enum class Diag : unsigned {
#define DIAG(ID, FORMAT) ID,
#define NOTE(ID, FORMAT) ID,
#include "Diagnostics.def"
};

/// The format string of `diag`.
llvm::StringRef format(Diag diag);

/// An error being built: notes can be added until it goes out of scope. Empty if it was a repetition.
class ErrorBuilder {
public:
  ErrorBuilder() = default;
  explicit ErrorBuilder(mlir::InFlightDiagnostic diag) : diag(std::move(diag)) {}

  template <typename... Args> ErrorBuilder &note(mlir::Location loc, Diag id, Args &&...args) {
    if (diag)
      attach(loc, llvm::formatv(format(id).data(), std::forward<Args>(args)...).str());
    return *this;
  }

private:
  /// A place inside a call is followed by the places of the calls that led there.
  void attach(mlir::Location loc, const std::string &text);

  std::optional<mlir::InFlightDiagnostic> diag;
};

/// Emits the errors of one program through the context's engine. The same message at the same place is emitted
/// once: a loop repeats its errors. After `maxErrors` one last message says so, and the rest is dropped.
class Diagnostics {
public:
  static constexpr unsigned maxErrors = 20;

  template <typename... Args> ErrorBuilder error(mlir::Location loc, Diag id, Args &&...args) {
    return emit(loc, llvm::formatv(format(id).data(), std::forward<Args>(args)...).str());
  }
  /// For messages that other libraries made: the dialect's shape functions.
  ErrorBuilder emit(mlir::Location loc, const llvm::Twine &message);

  unsigned numErrors() const { return errors; }
  bool exhausted() const { return errors > maxErrors; }

private:
  unsigned errors = 0;
  llvm::DenseSet<std::pair<const void *, llvm::hash_code>> seen;
};

/// `; did you mean 'conv'?` for the closest candidate, or nothing if none is close.
std::string didYouMean(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_DIAGNOSTICS_H
