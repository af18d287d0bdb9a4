//===- Artifact.cpp - Kernels phase to the bytes of an .espx file ---------===//

#include "espalier/CodeGen/Artifact.h"

#include "espalier/CodeGen/CPUTarget.h"
#include "espalier/CodeGen/Passes.h"
#include "espalier/CodeGen/SharedObject.h"
#include "espalier/Dialect/Plan/IR/PlanOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CRC.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace espalier;

//===----------------------------------------------------------------------===//
// Manifest
//===----------------------------------------------------------------------===//

static constexpr uint32_t formatVersion = 1;

/// Names and paths come from anywhere; JSON holds Unicode alone.
static std::string toText(const Twine &bytes) { return llvm::json::fixUTF8(bytes.str()); }

/// `file:line:col` of the innermost place in a source file, or the empty string.
static std::string describeLocation(Location loc) {
  std::string result;
  loc->walk([&](Location nested) {
    auto file = dyn_cast<FileLineColLoc>(nested);
    if (!file)
      return WalkResult::advance();
    result = toText(file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" + Twine(file.getColumn()));
    return WalkResult::interrupt();
  });
  return result;
}

/// The runtime's name of an element type: MLIR's, but for `u8`.
static std::string describeElementType(Type type) {
  if (type.isUnsignedInteger(8))
    return "u8";
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
}

template <typename Range> static llvm::json::Array toArray(const Range &range) {
  llvm::json::Array result;
  for (const auto &element : range)
    result.push_back(element);
  return result;
}

/// Iterations per call when the kernel does not say: about 32 KiB of traffic, so that a call is far more than its
/// dispatch costs, and at most 256 calls. Less traffic than takes as long as waking a team is one call. Follows from
/// shapes alone.
static int64_t chooseGrain(func::FuncOp kernel, int64_t extent) {
  constexpr int64_t bytesPerCall = 32 * 1024, minTeamBytes = 256 * 1024, maxCalls = 256;
  int64_t bytes = 0;
  for (Type type : kernel.getArgumentTypes().drop_back(2))
    bytes += *plan::getByteSize(cast<MemRefType>(type));
  if (bytes < minTeamBytes)
    return extent;
  int64_t calls = std::clamp<int64_t>(bytes / bytesPerCall, 1, std::min(extent, maxCalls));
  return llvm::divideCeil(extent, calls);
}

namespace {

/// Turns one program into JSON.
class ProgramWriter {
public:
  explicit ProgramWriter(const llvm::DenseMap<StringAttr, int64_t> &kernelIndex) : kernelIndex(kernelIndex) {}

  llvm::json::Object write(plan::ProgramOp program) {
    for (Operation &op : program.getBody().front())
      llvm::TypeSwitch<Operation *>(&op)
          .Case<plan::ArgumentOp, plan::BufferOp, plan::ViewOp>([&](auto place) {
            placeIndex[place.getResult()] = places.size();
            places.push_back(describe(place));
          })
          .Case<plan::DispatchOp, plan::Conv2DOp, plan::Conv2DInputGradientOp, plan::Conv2DFilterGradientOp,
                plan::MatmulOp>([&](auto row) {
            llvm::json::Object entry = describe(row);
            entry["op"] = row->getName().stripDialect().str();
            entry["location"] = describeLocation(row.getLoc());
            entry["scope"] = toText(row.getScope().value_or(""));
            for (auto [key, name] :
                 {std::pair("candidate", plan::candidateAttrName), std::pair("reason", plan::reasonAttrName)})
              if (auto text = row->template getAttrOfType<StringAttr>(name))
                entry[key] = toText(text.getValue());
            rows.push_back(std::move(entry));
          });
    return llvm::json::Object{{"name", toText(program.getSymName())},
                              {"arena_bytes", program.getArenaBytes()},
                              {"places", std::move(places)},
                              {"rows", std::move(rows)}};
  }

private:
  int64_t index(Value place) { return placeIndex.lookup(place); }

  static llvm::json::Object describeType(StringRef kind, MemRefType type) {
    return llvm::json::Object{{"kind", kind.str()},
                              {"dtype", describeElementType(type.getElementType())},
                              {"shape", toArray(type.getShape())}};
  }

  llvm::json::Object describe(plan::ArgumentOp argument) {
    llvm::json::Object result = describeType("argument", argument.getType());
    result["name"] = toText(argument.getName());
    result["role"] = plan::stringifyRole(argument.getRole()).str();
    result["logical"] = toArray(argument.getLogicalShape());
    result["permutation"] = toArray(argument.getPermutationOrIdentity());
    if (argument.getTied())
      result["tied"] = index(argument.getTied());
    return result;
  }
  llvm::json::Object describe(plan::BufferOp buffer) {
    llvm::json::Object result = describeType("buffer", buffer.getType());
    result["offset"] = static_cast<int64_t>(buffer.getOffset());
    return result;
  }
  llvm::json::Object describe(plan::ViewOp view) {
    llvm::json::Object result = describeType("view", view.getType());
    result["source"] = index(view.getSource());
    result["offset"] = static_cast<int64_t>(view.getOffset());
    return result;
  }

  llvm::json::Object describe(plan::DispatchOp dispatch) {
    llvm::json::Array operands;
    for (Value place : dispatch.getPlaces())
      operands.push_back(index(place));
    return llvm::json::Object{{"kernel", kernelIndex.lookup(dispatch.getKernelAttr().getAttr())},
                              {"places", std::move(operands)}};
  }

  template <typename ConvOp> static llvm::json::Object describeGeometry(ConvOp op) {
    return llvm::json::Object{{"layout", plan::stringifyImageLayout(op.getLayout()).str()},
                              {"strides", toArray(op.getStrides())},
                              {"pads", toArray(op.getPads())},
                              {"dilations", toArray(op.getDilations())},
                              {"groups", static_cast<int64_t>(op.getGroups())}};
  }
  template <typename ClampedOp> static void describeClamp(ClampedOp op, llvm::json::Object &result) {
    // JSON has no infinities: an absent bound is one.
    if (std::optional<APFloat> min = op.getMin(); min && min->isFinite())
      result["min"] = min->convertToDouble();
    if (std::optional<APFloat> max = op.getMax(); max && max->isFinite())
      result["max"] = max->convertToDouble();
  }

  llvm::json::Object describe(plan::Conv2DOp conv) {
    llvm::json::Object result = describeGeometry(conv);
    result["input"] = index(conv.getInput());
    result["filter"] = index(conv.getFilter());
    result["output"] = index(conv.getOutput());
    if (conv.getBias())
      result["bias"] = index(conv.getBias());
    if (conv.getResidual())
      result["residual"] = index(conv.getResidual());
    describeClamp(conv, result);
    result["constant_filter"] = conv.getConstantFilter();
    return result;
  }
  llvm::json::Object describe(plan::Conv2DInputGradientOp conv) {
    llvm::json::Object result = describeGeometry(conv);
    result["output_gradient"] = index(conv.getOutputGradient());
    result["filter"] = index(conv.getFilter());
    result["input_gradient"] = index(conv.getInputGradient());
    return result;
  }
  llvm::json::Object describe(plan::Conv2DFilterGradientOp conv) {
    llvm::json::Object result = describeGeometry(conv);
    result["input"] = index(conv.getInput());
    result["output_gradient"] = index(conv.getOutputGradient());
    result["filter_gradient"] = index(conv.getFilterGradient());
    return result;
  }
  llvm::json::Object describe(plan::MatmulOp matmul) {
    llvm::json::Object result{{"lhs", index(matmul.getLhs())},
                              {"rhs", index(matmul.getRhs())},
                              {"output", index(matmul.getOutput())},
                              {"transpose_lhs", matmul.getTransposeLhs()},
                              {"transpose_rhs", matmul.getTransposeRhs()},
                              {"constant_rhs", matmul.getConstantRhs()}};
    if (matmul.getBias())
      result["bias"] = index(matmul.getBias());
    describeClamp(matmul, result);
    return result;
  }

  const llvm::DenseMap<StringAttr, int64_t> &kernelIndex;
  llvm::DenseMap<Value, int64_t> placeIndex;
  llvm::json::Array places, rows;
};

} // namespace

static FailureOr<std::string> writeManifest(ModuleOp module, const codegen::CPUTarget &target, StringRef metadata) {
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse(metadata);
  if (!parsed)
    return module.emitError("expects metadata to be a JSON object, but ") << llvm::toString(parsed.takeError());
  if (!parsed->getAsObject())
    return module.emitError("expects metadata to be a JSON object, but got ") << metadata;

  llvm::DenseMap<StringAttr, int64_t> kernelIndex;
  llvm::json::Array kernels, programs;
  llvm::DenseSet<StringAttr> dispatched;
  for (auto program : module.getOps<plan::ProgramOp>())
    for (auto dispatch : program.getBody().getOps<plan::DispatchOp>())
      dispatched.insert(dispatch.getKernelAttr().getAttr());
  for (auto kernel : module.getOps<func::FuncOp>()) {
    if (!dispatched.contains(kernel.getSymNameAttr()))
      continue;
    auto attribute = kernel->getAttrOfType<plan::KernelAttr>(plan::kernelAttrName);
    kernelIndex[kernel.getSymNameAttr()] = kernels.size();
    int64_t grain = attribute.getGrain() ? *attribute.getGrain() : chooseGrain(kernel, attribute.getExtent());
    kernels.push_back(llvm::json::Object{
        {"symbol", toText(kernel.getSymName())}, {"extent", attribute.getExtent()}, {"grain", grain}});
  }
  for (auto program : module.getOps<plan::ProgramOp>())
    programs.push_back(ProgramWriter(kernelIndex).write(program));

  llvm::json::Object manifest{{"cpu", target.getName()},
                              {"extensions", toArray(target.getRequiredExtensions())},
                              {"kernels", std::move(kernels)},
                              {"metadata", std::move(*parsed)},
                              {"programs", std::move(programs)}};
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(manifest));
  return text;
}

//===----------------------------------------------------------------------===//
// File
//===----------------------------------------------------------------------===//

static std::string assembleFile(StringRef manifest, StringRef object) {
  constexpr size_t headerBytes = 32, checkedFrom = 16, alignment = 64;
  std::string file(llvm::alignTo(headerBytes + manifest.size(), alignment), '\0');
  std::memcpy(file.data(),
              "\x89"
              "ESPX\r\n\x1a",
              8);
  llvm::support::endian::write32le(&file[8], formatVersion);
  llvm::support::endian::write64le(&file[16], manifest.size());
  llvm::support::endian::write64le(&file[24], object.size());
  std::memcpy(&file[headerBytes], manifest.data(), manifest.size());
  file.append(object.data(), object.size());
  llvm::support::endian::write32le(&file[12],
                                   llvm::crc32(llvm::arrayRefFromStringRef(StringRef(file).drop_front(checkedFrom))));
  return file;
}

FailureOr<std::string> codegen::emitArtifact(ModuleOp module, const ArtifactOptions &options) {
  FailureOr<CPUTarget> target = CPUTarget::get(options.cpu, module.getLoc());
  if (failed(target))
    return failure();
  FailureOr<std::string> manifest = writeManifest(module, *target, options.metadata);
  if (failed(manifest))
    return failure();

  OwningOpRef<ModuleOp> kernels = module.clone();
  PassManager manager(module.getContext());
  KernelsToLLVMOptions lowering;
  lowering.forbidScalarContractions = options.forbidScalarContractions;
  lowering.vectorBytes = target->getVectorBytes();
  lowering.roundsToBFloat16 = target->hasExtension("avx512bf16");
  lowering.vectorRegisters = target->getNumVectorRegisters();
  buildKernelsToLLVMPipeline(manager, lowering);
  if (failed(manager.run(*kernels)))
    return failure();
  FailureOr<std::string> object = emitSharedObject(*kernels, *target);
  if (failed(object))
    return failure();
  return assembleFile(*manifest, *object);
}
