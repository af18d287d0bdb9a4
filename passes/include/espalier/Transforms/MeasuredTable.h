//===- MeasuredTable.h - measured times of contractions ---------*- C++ -*-===//

#ifndef ESPALIER_TRANSFORMS_MEASUREDTABLE_H
#define ESPALIER_TRANSFORMS_MEASUREDTABLE_H

#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/LogicalResult.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

namespace espalier::cg {

/// Times of contractions by candidate, on one thread. As a text, it has one line for each:
///
///   processor signature candidate nanoseconds
///
/// separated by spaces, where `processor` is CPUTarget::getMeasurementKey, `signature` getContractionSignature, and
/// `candidate` a Candidate's name. Empty lines and what follows `#` do not count.
class MeasuredTable {
public:
  /// Adds the lines of `text`; an entry replaces one that was there. A line that is no entry, or a second one of the
  /// same key in this text, is an error at its place in `file`.
  llvm::LogicalResult parse(llvm::StringRef text, llvm::StringRef file, mlir::MLIRContext &context);
  /// The same for a file, of at most 16 MiB.
  llvm::LogicalResult read(llvm::StringRef file, mlir::MLIRContext &context);
  /// The table that the compiler ships with.
  static llvm::StringRef getBuiltinText();

  std::optional<int64_t> lookup(llvm::StringRef processor, llvm::StringRef signature, llvm::StringRef candidate) const;
  void set(llvm::StringRef processor, llvm::StringRef signature, llvm::StringRef candidate, int64_t nanoseconds);
  /// The table as a text, in the order of its keys.
  std::string print() const;

private:
  using Key = std::tuple<std::string, std::string, std::string>;
  std::map<Key, int64_t> entries;
};

} // namespace espalier::cg

#endif // ESPALIER_TRANSFORMS_MEASUREDTABLE_H
