//===- Pipeline.cpp - The pipeline from kernels to LLVM -------------------===//

#include "espalier/CodeGen/Passes.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToSCF/VectorToSCF.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/AllInterfaces.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/IR/TensorInferTypeOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Tensor/Transforms/SubsetInsertionOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/BufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/Vector/Transforms/SubsetOpInterfaceImpl.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace espalier;

void codegen::buildKernelsToLLVMPipeline(OpPassManager &manager, const KernelsToLLVMOptions &options) {
  manager.addPass(createIsolateKernels());
  OpPassManager &kernels = manager.nest<func::FuncOp>();
  kernels.addPass(createLinalgGeneralizeNamedOpsPass());
  kernels.addPass(createLinalgElementwiseOpFusionPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createBufferizeKernels());
  // A result that was computed in its destination leaves a copy onto itself, which these two remove.
  kernels.addPass(createCSEPass());
  kernels.addPass(createCanonicalizerPass());
  VectorizeContractionsOptions contractions;
  contractions.vectorBytes = options.vectorBytes;
  contractions.vectorRegisters = options.vectorRegisters;
  kernels.addPass(createVectorizeContractions(contractions));
  LowerKernelLoopsOptions loops;
  loops.forbidScalarContractions = options.forbidScalarContractions;
  kernels.addPass(createLowerKernelLoops(loops));
  kernels.addPass(createExpandMath());
  kernels.addPass(createCanonicalizerPass()); // what is only copied is not converted
  kernels.addPass(createExpandBFloat16(ExpandBFloat16Options{options.roundsToBFloat16}));
  kernels.addPass(createConvertVectorToSCFPass());
  kernels.addPass(memref::createExpandStridedMetadataPass());
  kernels.addPass(createLowerAffinePass());
  kernels.addPass(arith::createArithExpandOpsPass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
  kernels.addPass(createSCFToControlFlowPass());
  manager.addPass(createKernelsToLLVM());
}

namespace {
struct PipelineOptions final : PassPipelineOptions<PipelineOptions> {
  Option<bool> forbidScalarContractions{*this, "forbid-scalar-contractions",
                                        llvm::cl::desc("Fail when a matmul or convolution reaches scalar loops")};
};
} // namespace

void codegen::registerCodeGen() {
  registerEspalierCodeGenPasses();
  PassPipelineRegistration<PipelineOptions>("espalier-kernels-to-llvm-pipeline",
                                            "Lower the kernels of a `plan` module to the LLVM dialect",
                                            [](OpPassManager &manager, const PipelineOptions &options) {
                                              KernelsToLLVMOptions result;
                                              result.forbidScalarContractions = options.forbidScalarContractions;
                                              buildKernelsToLLVMPipeline(manager, result);
                                            });
}

void codegen::registerCodeGenDependencies(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect, func::FuncDialect,
                  linalg::LinalgDialect, math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                  tensor::TensorDialect, vector::VectorDialect>();
  arith::registerBufferizableOpInterfaceExternalModels(registry);
  linalg::registerAllDialectInterfaceImplementations(registry);
  scf::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerBufferizableOpInterfaceExternalModels(registry);
  tensor::registerInferTypeOpInterfaceExternalModels(registry);
  tensor::registerSubsetOpInterfaceExternalModels(registry);
  vector::registerBufferizableOpInterfaceExternalModels(registry);
  vector::registerSubsetOpInterfaceExternalModels(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}
