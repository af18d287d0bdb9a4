//===- Source.h - A file of the language, with its line table ---*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_SOURCE_H
#define ESPALIER_FRONTEND_DSL_SOURCE_H

#include "mlir/IR/Location.h"
#include "llvm/ADT/StringRef.h"
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace espalier::dsl {

/// One loaded file. A position in it is a byte offset; lines and columns are found by binary search, because a
/// generated file may hold its whole network on one line, where a backward scan per operation would be quadratic.
class Source {
public:
  Source(mlir::MLIRContext *context, llvm::StringRef name, llvm::StringRef text, bool isPrelude)
      : context(context), name(name), text(text), isPrelude(isPrelude) {
    lineStarts.push_back(0);
    for (uint32_t i = 0, e = text.size(); i < e; ++i)
      if (text[i] == '\n')
        lineStarts.push_back(i + 1);
  }

  /// The location of byte `offset`: lines and columns count from 1, columns in bytes.
  mlir::Location locationAt(uint32_t offset) const {
    size_t line = std::upper_bound(lineStarts.begin(), lineStarts.end(), offset) - lineStarts.begin();
    return mlir::FileLineColLoc::get(context, name, line, offset - lineStarts[line - 1] + 1);
  }

  mlir::MLIRContext *context;
  /// The identifier of the file's buffer: what diagnostics print.
  llvm::StringRef name;
  llvm::StringRef text;
  /// The layers that come with the language. Locations skip its frames: a user reads the call of a layer.
  bool isPrelude;

private:
  std::vector<uint32_t> lineStarts;
};

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_SOURCE_H
