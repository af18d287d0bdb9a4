//===- CompiledProgram.h - graphs compiled in process, for tests -*- C++ -*-===//

#ifndef ESPALIER_TEST_UNIT_CONVERSION_COMPILEDPROGRAM_H
#define ESPALIER_TEST_UNIT_CONVERSION_COMPILEDPROGRAM_H

#include "espalier/CodeGen/Artifact.h"
#include "espalier/Dialect/CG/IR/CGOps.h"
#include "espalier/Pipelines/Kernels.h"
#include "espalier/Pipelines/Step.h"
#include "espalier/Runtime/Program/Program.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace espalier::cg::test {

inline rt::DType dtypeOf(mlir::Type type) {
  if (type.isF32())
    return rt::DType::F32;
  if (type.isF64())
    return rt::DType::F64;
  if (type.isBF16())
    return rt::DType::BF16;
  if (type.isInteger(1))
    return rt::DType::I1;
  if (type.isInteger(8))
    return rt::DType::I8;
  return type.isInteger(32) ? rt::DType::I32 : rt::DType::I64;
}

/// Calls `visit` with the elements of a tensor as their C++ type.
template <typename Visit> void visitElements(rt::HostTensor &tensor, Visit visit) {
  switch (tensor.dtype()) {
  case rt::DType::F32:
    return visit(tensor.elements<float>());
  case rt::DType::F64:
    return visit(tensor.elements<double>());
  case rt::DType::I1:
    return visit(tensor.elements<bool>());
  case rt::DType::I8:
    return visit(tensor.elements<int8_t>());
  case rt::DType::I32:
    return visit(tensor.elements<int32_t>());
  case rt::DType::I64:
    return visit(tensor.elements<int64_t>());
  default:
    FAIL() << "no C++ type for " << rt::name(tensor.dtype());
  }
}

/// The upper half of an f32: rounded to nearest, ties to even, and back.
inline uint16_t toBFloat16(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  if (std::isnan(value))
    return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float fromBFloat16(uint16_t value) {
  uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

/// bf16 as f32, which C++ has.
inline rt::HostTensor widen(const rt::HostTensor &tensor) {
  rt::HostTensor wide = *rt::HostTensor::create(rt::DType::F32, tensor.shape());
  for (auto [index, element] : llvm::enumerate(wide.elements<float>())) {
    uint16_t bits;
    std::memcpy(&bits, tensor.bytes().data() + 2 * index, sizeof bits);
    element = fromBFloat16(bits);
  }
  return wide;
}

inline rt::HostTensor toHost(const ReferenceTensor &tensor) {
  rt::HostTensor host =
      *rt::HostTensor::create(dtypeOf(tensor.type.getElementType()), std::vector<int64_t>(tensor.shape()));
  if (host.dtype() == rt::DType::BF16) {
    for (int64_t i = 0; i < tensor.size(); ++i) {
      uint16_t bits = toBFloat16(static_cast<float>(tensor.data[i]));
      std::memcpy(host.bytes().data() + 2 * i, &bits, sizeof bits);
    }
    return host;
  }
  visitElements(host, [&](auto elements) {
    for (int64_t i = 0; i < tensor.size(); ++i)
      elements[i] = static_cast<std::remove_reference_t<decltype(elements[0])>>(tensor.data[i]);
  });
  return host;
}

/// Checks elements to within `tolerance` times 1 + the largest expected one.
inline void expectClose(rt::HostTensor &actual, const ReferenceTensor &expected, double tolerance) {
  if (actual.dtype() == rt::DType::BF16) {
    rt::HostTensor wide = widen(actual);
    return expectClose(wide, expected, tolerance);
  }
  double largest = 0.0;
  for (double element : expected.data)
    if (std::isfinite(element))
      largest = std::max(largest, std::fabs(element));
  double bound = tolerance * (1.0 + largest);
  visitElements(actual, [&](auto elements) {
    ASSERT_EQ(static_cast<int64_t>(elements.size()), expected.size());
    for (int64_t i = 0; i < expected.size(); ++i) {
      double got = static_cast<double>(elements[i]), want = expected.data[i];
      bool agrees =
          std::isfinite(want) ? std::fabs(got - want) <= bound : (std::isnan(want) ? std::isnan(got) : got == want);
      ASSERT_TRUE(agrees) << "element " << i << ": expected " << want << ", got " << got;
    }
  });
}

/// Step graphs -> fused -> kernels -> artifact -> executable; nothing, with a test failure, on an error.
inline std::shared_ptr<const rt::Executable> compile(mlir::ModuleOp module, const FusedOptions &options = {}) {
  mlir::PassManager manager(module.getContext());
  manager.addNestedPass<GraphOp>(createSpecialize(SpecializeOptions{}));
  buildStepToFusedPipeline(manager, options);
  buildFusedToKernelsPipeline(manager, options);
  if (failed(manager.run(module))) {
    ADD_FAILURE() << "cannot be lowered to kernels";
    return nullptr;
  }
  mlir::FailureOr<std::string> artifact = codegen::emitArtifact(module);
  if (failed(artifact)) {
    ADD_FAILURE() << "kernels cannot be compiled";
    return nullptr;
  }
  rt::Span<const uint8_t> bytes(reinterpret_cast<const uint8_t *>(artifact->data()), artifact->size());
  auto executable = rt::Executable::load(bytes);
  if (!executable) {
    ADD_FAILURE() << executable.status().message();
    return nullptr;
  }
  return *executable;
}

} // namespace espalier::cg::test

#endif // ESPALIER_TEST_UNIT_CONVERSION_COMPILEDPROGRAM_H
