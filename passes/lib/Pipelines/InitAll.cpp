//===- InitAll.cpp - registration of all dialects and passes --------------===//

#include "espalier/Pipelines/InitAll.h"

#include "espalier/CodeGen/Passes.h"
#include "espalier/Conversion/CGToPlan/Lowering.h"
#include "espalier/Conversion/CGToPlan/Passes.h"
#include "espalier/Dialect/CG/IR/CGDialect.h"
#include "espalier/Dialect/Plan/IR/PlanDialect.h"
#include "espalier/Pipelines/Kernels.h"
#include "espalier/Transforms/BranchInterfaces.h"
#include "espalier/Transforms/BranchPasses.h"
#include "espalier/Transforms/FusePasses.h"
#include "espalier/Transforms/StepPasses.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Transforms/Passes.h"

void espalier::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<cg::CGDialect, plan::PlanDialect, mlir::func::FuncDialect>();
  cg::registerConvMapModels(registry);
  cg::registerLoweringModels(registry);
  codegen::registerCodeGenDependencies(registry);
}

void espalier::registerOwnPasses() {
  cg::registerEspalierStepPasses();
  cg::registerEspalierBranchPasses();
  cg::registerEspalierFusePasses();
  cg::registerEspalierCGToPlanPasses();
  registerKernelPipelines();
  codegen::registerCodeGen();
}

void espalier::registerAllPasses() {
  mlir::registerTransformsPasses();
  registerOwnPasses();
}
