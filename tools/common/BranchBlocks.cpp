//===- BranchBlocks.cpp - blocks of branches, in the language -------------===//

#include "BranchBlocks.h"

#include "espalier/Dialect/CG/IR/CGDialect.h"
#include "espalier/Frontend/DSL.h"
#include "espalier/Transforms/BlockProvider.h"

#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace espalier;

namespace {
/// Where a block is written.
struct BlockName {
  /// What an architecture file imports.
  std::string import;
  std::string block;
};

class LanguageBlocks final : public cg::BlockProvider {
public:
  using BlockProvider::BlockProvider;

  OwningOpRef<ModuleOp> instantiate(StringRef block, const cg::BlockSite &site, Location loc) const override;
  std::optional<std::string> refuse(StringRef block, const cg::BlockSite &site) const override;
};
} // namespace

static bool isIdentifier(StringRef name) {
  return !name.empty() && !llvm::isDigit(name.front()) &&
         llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

static FailureOr<BlockName> parseBlockName(StringRef text, Location loc) {
  constexpr StringRef extension = ".esp";
  StringRef path = text, block;
  if (size_t colon = text.rfind(':'); colon != StringRef::npos && text.take_front(colon).ends_with(extension)) {
    path = text.take_front(colon);
    block = text.drop_front(colon + 1);
  }
  if (!path.ends_with(extension)) {
    std::vector<std::string> known = libraryFileNames();
    if (!llvm::is_contained(known, text))
      return emitError(loc) << "unknown block '" << text << "': expects " << llvm::join(known, ", ")
                            << ", FILE.esp or FILE.esp:BLOCK";
    return BlockName{"espalier:" + text.str(), text.str()};
  }
  if (block.empty())
    block = llvm::sys::path::stem(path);
  if (!isIdentifier(block))
    return emitError(loc) << "expects the name of a block as in FILE.esp:BLOCK, but got '" << text << "'";
  return BlockName{path.str(), block.str()};
}

/// `text` as it stands between the quotes of a string of the language.
static std::string escape(StringRef text) {
  std::string escaped;
  for (char c : text) {
    if (c == '\n' || c == '\t') {
      escaped += c == '\n' ? "\\n" : "\\t";
      continue;
    }
    if (StringRef("\"\\{}").contains(c))
      escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// An architecture that is nothing but the block.
static std::string writeArchitecture(const BlockName &name, const cg::BlockSite &site) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "import \"" << escape(name.import) << "\"\narch expanded_convolution(x: " << site.input.getElementType() << "[";
  constexpr StringRef symbols[] = {"site_batch", "site_channels", "site_rows", "site_columns"};
  for (auto [i, extent] : llvm::enumerate(site.input.getShape())) {
    os << (i > 0 ? ", " : "");
    if (ShapedType::isDynamic(extent))
      os << symbols[i];
    else
      os << extent;
  }
  auto pair = [](const std::array<int64_t, 2> &values) { return llvm::formatv("({0}, {1})", values[0], values[1]); };
  os << "]) {\n  " << name.block << "(x, channels = " << site.channels << ", k = " << pair(site.kernel)
     << ", stride = " << pair(site.strides) << ", pad = " << pair(site.pads) << ", dilation = " << pair(site.dilations)
     << ", groups = " << site.groups << (site.preserve ? ", preserve = true" : "") << ") as \"\"\n}\n";
  return text;
}

static void addArchitecture(llvm::SourceMgr &sources, const BlockName &name, const cg::BlockSite &site) {
  sources.AddNewSourceBuffer(
      llvm::MemoryBuffer::getMemBufferCopy(writeArchitecture(name, site), "<convolution to expand>"), llvm::SMLoc());
}

OwningOpRef<ModuleOp> LanguageBlocks::instantiate(StringRef block, const cg::BlockSite &site, Location loc) const {
  FailureOr<BlockName> name = parseBlockName(block, loc);
  if (failed(name))
    return {};
  llvm::SourceMgr sources;
  addArchitecture(sources, *name, site);
  SourceMgrDiagnosticHandler handler(sources, getContext());
  OwningOpRef<ModuleOp> module = parseArchitecture(sources, getContext());
  if (!module)
    emitError(loc) << "this convolution cannot be expanded into the block '" << block << "'";
  return module;
}

std::optional<std::string> LanguageBlocks::refuse(StringRef block, const cg::BlockSite &site) const {
  std::string reason;
  ScopedDiagnosticHandler handler(getContext(), [&](Diagnostic &diag) {
    if (reason.empty() && diag.getSeverity() == DiagnosticSeverity::Error)
      reason = diag.str();
    return success();
  });
  FailureOr<BlockName> name = parseBlockName(block, UnknownLoc::get(getContext()));
  if (failed(name))
    return reason;
  llvm::SourceMgr sources;
  addArchitecture(sources, *name, site);
  if (parseArchitecture(sources, getContext()))
    return std::nullopt;
  return reason;
}

void espalier::tools::registerBranchBlocks(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *, cg::CGDialect *dialect) { dialect->addInterfaces<LanguageBlocks>(); });
}
