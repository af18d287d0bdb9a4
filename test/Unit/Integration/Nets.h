//===- Nets.h - networks of the zoo, ready to be trained in float64 -*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_INTEGRATION_NETS_H
#define ESPALIER_TEST_UNIT_INTEGRATION_NETS_H

#include "Golden.h"

#include "espalier/Pipelines/Step.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

namespace espalier::integration {

struct Net {
  const char *name;
  const char *folder; ///< of the source tree
  uint64_t classes;
};
inline constexpr Net nets[] = {{"cifar_resnet20", "examples/zoo", 10}, {"mobilenet_v2", "examples/zoo", 1000}};
inline constexpr Net smallConv = {"small_conv", "test/Unit/Integration", 10};
inline constexpr Net smallPlain = {"small_plain", "test/Unit/Integration", 10};

/// A network with cross-entropy as its loss, of some label smoothing, and its dropout off.
struct LoadedNet {
  explicit LoadedNet(const Net &net, double smoothing = 0.0);

  /// Training in float64 with the batch and image size of a golden.
  TrainingOptions trainingOptions(const golden::Golden &golden) const;

  std::string name;
  uint64_t classes;
  mlir::MLIRContext context;
  llvm::SourceMgr sources;
  mlir::OwningOpRef<mlir::ModuleOp> module; ///< null, and a message on stderr, when the file has errors
};

double norm(const std::vector<double> &values);
/// ||a - b|| / ||b||
double relativeError(const std::vector<double> &a, const std::vector<double> &b);

} // namespace espalier::integration

#endif // ESPALIER_TEST_UNIT_INTEGRATION_NETS_H
