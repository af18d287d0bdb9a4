//===- Library.h - Architecture files that come with the tools --*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_LIBRARY_H
#define ESPALIER_FRONTEND_DSL_LIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace espalier::dsl {

/// A file of the folder `blocks`, put into the library when it is built. `import "espalier:NAME"` reads it.
struct LibraryFile {
  llvm::StringRef name;
  llvm::StringRef text;
};

/// What the import of such a file begins with.
inline constexpr llvm::StringLiteral libraryScheme = "espalier:";

/// All of them, by name.
llvm::ArrayRef<LibraryFile> libraryFiles();

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_LIBRARY_H
