//===- EspalierPlugin.cpp - our dialects and passes for stock mlir-opt ----===//
//
// mlir-opt-22 --load-dialect-plugin=EspalierPlugin.so --load-pass-plugin=EspalierPlugin.so \
//   --pass-pipeline='builtin.module(cg.graph(cg-specialize{mode=inference}))' net.mlir
//
//===----------------------------------------------------------------------===//

#include "../common/BranchBlocks.h"

#include "espalier/Pipelines/InitAll.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Config/llvm-config.h"

static void registerDialects(mlir::DialectRegistry *registry) {
  espalier::registerAllDialects(*registry);
  espalier::tools::registerBranchBlocks(*registry);
}

extern "C" LLVM_ATTRIBUTE_WEAK __attribute__((visibility("default"))) mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Espalier", LLVM_VERSION_STRING, registerDialects};
}

extern "C" LLVM_ATTRIBUTE_WEAK __attribute__((visibility("default"))) mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Espalier", LLVM_VERSION_STRING, espalier::registerOwnPasses};
}
