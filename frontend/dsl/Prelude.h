//===- Prelude.h - The layers that come with the language -------*- C++ -*-===//

#ifndef ESPALIER_FRONTEND_DSL_PRELUDE_H
#define ESPALIER_FRONTEND_DSL_PRELUDE_H

#include "llvm/ADT/StringRef.h"

namespace espalier::dsl {

/// The text of Prelude.esp, put into the library when it is built.
llvm::StringRef preludeText();

} // namespace espalier::dsl

#endif // ESPALIER_FRONTEND_DSL_PRELUDE_H
