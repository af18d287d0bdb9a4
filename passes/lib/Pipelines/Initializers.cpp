//===- Initializers.cpp - how parameters and states start -----------------===//

#include "Initializers.h"

#include "espalier/Transforms/StepPasses.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace espalier;

std::string espalier::describeInitializers(ModuleOp module) {
  llvm::json::Object initializers;
  for (cg::GraphOp graph : module.getOps<cg::GraphOp>()) {
    for (unsigned i = 0; i < graph.getNumArguments(); ++i) {
      auto init = graph.getArgAttrOfType<cg::InitAttrInterface>(i, cg::initAttrName);
      if (!init)
        continue;
      cg::InitDistribution drawn = init.resolve(cast<RankedTensorType>(graph.getArgumentTypes()[i]).getShape());
      llvm::json::Array entry;
      switch (drawn.kind) {
      case cg::InitDistribution::Kind::Fill:
        entry = llvm::json::Array{"fill", drawn.a};
        break;
      case cg::InitDistribution::Kind::Uniform:
        entry = llvm::json::Array{"uniform", drawn.a, drawn.b};
        break;
      case cg::InitDistribution::Kind::Normal:
        entry = llvm::json::Array{"normal", drawn.a, drawn.b};
        break;
      case cg::InitDistribution::Kind::Values:
        entry = llvm::json::Array{"values"};
        entry.insert(entry.end(), drawn.values.begin(), drawn.values.end());
        break;
      }
      initializers[llvm::json::fixUTF8(cg::storageName(graph.getArgAttrDict(i)))] = std::move(entry);
    }
  }
  std::string text;
  llvm::raw_string_ostream os(text);
  auto precision = module->getAttrOfType<StringAttr>(cg::precisionAttrName);
  os << llvm::json::Value(llvm::json::Object{{"initializers", std::move(initializers)},
                                             {"precision", precision ? precision.getValue() : "f32"}});
  return text;
}
