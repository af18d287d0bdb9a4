//===- TestRegistry.h - the dialects that unit tests work with --*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_TESTREGISTRY_H
#define ESPALIER_TEST_UNIT_TESTREGISTRY_H

#include "espalier/Pipelines/InitAll.h"

#include "mlir/IR/DialectRegistry.h"

namespace espalier {

inline mlir::DialectRegistry makeRegistry() {
  mlir::DialectRegistry registry;
  registerAllDialects(registry);
  return registry;
}

} // namespace espalier

#endif // ESPALIER_TEST_UNIT_TESTREGISTRY_H
