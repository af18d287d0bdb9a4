//===- Network.cpp - which network a verb works on ------------------------===//

#include "Network.h"

#include "../common/BranchBlocks.h"
#include "../common/ModuleFile.h"

#include "espalier/Pipelines/InitAll.h"
#include "espalier/Transforms/BranchPasses.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace espalier;
using namespace espalier::tools;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

void NetworkFlags::declare(CLI::App &flags) {
  flags.add_option("NET", file, "Architecture file (.esp) or MLIR (.mlir, .mlirbc)")->required();
  flags.add_option("--arch", arch, "Architecture in the file (default: the only one)")->type_name("NAME");
  flags.add_option("--bind", bindings, "Numbers for symbolic sizes, e.g. N=8,H=224")
      ->delimiter(',')
      ->type_name("NAME=NUMBER");
  flags.add_option("--batch", batch, "Short for --bind N=BATCH")->type_name("BATCH");
}

namespace {
/// Symbolic sizes of a graph's inputs, in order of appearance.
struct OpenSizes {
  llvm::SetVector<StringRef> names;
  bool hasAnonymous = false; ///< an extent `?` without a name

  explicit OpenSizes(cg::GraphOp graph) {
    for (BlockArgument argument : graph.getArguments()) {
      auto dims = graph.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(), cg::GraphOp::getDimsAttrName());
      if (!dims) {
        hasAnonymous |= !cast<RankedTensorType>(argument.getType()).hasStaticShape();
        continue;
      }
      for (StringAttr dim : dims.getAsRange<StringAttr>())
        if (!dim.empty() && !llvm::isDigit(dim.getValue().front()))
          names.insert(dim.getValue());
    }
  }
};
} // namespace

rt::Expected<SizeBindings> NetworkFlags::bindSizes(cg::GraphOp graph, bool mayStayOpen) const {
  SizeBindings given = bindings;
  if (batch)
    given.push_back(fmt::format("N={}", *batch));
  OpenSizes sizes(graph);
  std::string arch = graph.getSymName().str();
  std::string known = sizes.names.empty() ? "none" : llvm::join(sizes.names, ", ");
  SizeBindings result;
  llvm::StringSet<> bound;
  for (const std::string &binding : given) {
    auto [name, number] = StringRef(binding).split('=');
    if (int64_t value; number.getAsInteger(10, value) || value < 1)
      return rt::usageError("expected a size as NAME=NUMBER with a number of at least 1, but got '{}'", binding);
    if (!bound.insert(name).second)
      return rt::usageError("size '{}' is given twice", name.str());
    if (!sizes.names.contains(name))
      return rt::usageError("'{}' has no size '{}'; its sizes are: {}", arch, name.str(), known);
    result.push_back(binding);
  }
  if (mayStayOpen)
    return result;
  for (StringRef name : sizes.names) {
    if (bound.contains(name))
      continue;
    std::optional<int64_t> number = graph.getDefaultSize(name);
    if (!number && name == "N")
      number = 1;
    if (!number)
      return rt::usageError("size '{0}' of '{1}' has no number; give it one with --bind {0}=NUMBER", name.str(), arch);
    result.push_back(fmt::format("{}={}", name.str(), *number));
  }
  if (sizes.hasAnonymous)
    return rt::invalidInput("{}: '{}' has a size without a name, which no flag can give a number", file, arch);
  return result;
}

NetworkFlags NetworkFlags::forImages(cg::GraphOp graph, const rt::ImageShape &image) const {
  NetworkFlags result = *this;
  auto dims = graph.getArgAttrOfType<mlir::ArrayAttr>(0, cg::GraphOp::getDimsAttrName());
  if (!dims || dims.size() != 4)
    return result;
  for (auto [dim, extent] : {std::pair(2, image.height), std::pair(3, image.width)}) {
    llvm::StringRef name = llvm::cast<mlir::StringAttr>(dims[dim]).getValue();
    auto gives = [&](llvm::StringRef binding) { return binding.split('=').first == name; };
    if (!name.empty() && !llvm::isDigit(name.front()) && llvm::none_of(bindings, gives))
      result.bindings.push_back(fmt::format("{}={}", name.str(), extent));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Network
//===----------------------------------------------------------------------===//

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerAllDialects(registry);
  registerBranchBlocks(registry);
  return registry;
}

Network::Network()
    : mlirContext(makeRegistry(), MLIRContext::Threading::DISABLED),
      handler(std::make_unique<SourceMgrDiagnosticHandler>(sources, &mlirContext)) {
  mlirContext.loadAllAvailableDialects();
  mlirContext.printOpOnDiagnostic(false); // the caret says more than a page of IR
}
Network::~Network() = default;

rt::Status Network::load(const std::string &file, std::vector<std::string> losses) {
  ArchitectureOptions options;
  options.losses = std::move(losses);
  return load(file, options);
}

rt::Status Network::load(const std::string &file, const ArchitectureOptions &options) {
  fileName = file;
  rt::Expected<OwningOpRef<ModuleOp>> module = loadModule(file, options, sources, mlirContext);
  if (!module)
    return module.takeStatus();
  loaded = *std::move(module);
  return {};
}

rt::Expected<cg::GraphOp> Network::choose(const std::string &arch) {
  SmallVector<cg::GraphOp> candidates;
  std::string list;
  for (cg::GraphOp graph : loaded->getOps<cg::GraphOp>()) {
    if (!arch.empty() && graph.getSymName() == arch)
      return graph;
    // Losses, metrics and the graphs that compute weights are not what one prices or runs unless one says so.
    if (graph->hasAttr("cg.fn") || graph->hasAttr(cg::weightsOfAttrName))
      continue;
    candidates.push_back(graph);
    list += (list.empty() ? "" : ", ") + graph.getSymName().str();
  }
  if (candidates.empty())
    return rt::invalidInput("{} has no architecture", fileName);
  if (!arch.empty())
    return rt::usageError("{} has no architecture '{}'; it has: {}", fileName, arch, list);
  if (candidates.size() > 1)
    return rt::usageError("{} has several architectures; choose one with --arch: {}", fileName, list);
  return candidates.front();
}
