//===- KernelTable.cpp - equal groups share a kernel ----------------------===//

#include "ProgramBuilder.h"

using namespace mlir;
using namespace espalier::cg;

/// Structure, types, attributes, layouts and places; locations and report attributes aside. Attributes and types are
/// unique in a context, so their addresses stand for them.
static std::string describe(GroupOp group, ArrayRef<Layout> inputLayouts, ArrayRef<unsigned> inputPlaces,
                            ArrayRef<unsigned> resultPlaces) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << group.getChosenCandidate() << ':';
  llvm::DenseMap<Value, unsigned> numbers;
  auto number = [&](Value value) { numbers.try_emplace(value, numbers.size()); };
  for (auto [argument, layout, place] : llvm::zip_equal(group.getBody().getArguments(), inputLayouts, inputPlaces)) {
    number(argument);
    os << argument.getType().getAsOpaquePointer() << '@' << place << '[';
    llvm::interleaveComma(layout, os);
    os << ']';
  }
  for (Operation &op : group.getBody().front()) {
    os << op.getName() << '(';
    for (Value operand : op.getOperands())
      os << numbers.lookup(operand) << ',';
    os << ')' << op.getPropertiesAsAttribute().getAsOpaquePointer();
    for (Value result : op.getResults()) {
      number(result);
      os << result.getType().getAsOpaquePointer();
    }
  }
  for (auto [index, place] : llvm::enumerate(resultPlaces)) {
    os << '@' << place << '[';
    llvm::interleaveComma(group.getLayout(index), os);
    os << ']';
  }
  return key;
}

/// Named after the last ops, which say most about it.
static std::string chooseName(GroupOp group) {
  std::string name = "kernel";
  SmallVector<StringRef> parts;
  for (Operation &op : llvm::reverse(group.getBody().front().without_terminator())) {
    if (isa<ConstantOp>(op))
      continue;
    StringRef part = op.getName().stripDialect();
    if (!parts.empty() && parts.back() == part)
      continue;
    parts.push_back(part);
    if (parts.size() == 3)
      break;
  }
  for (StringRef part : llvm::reverse(parts))
    name += ("_" + part).str();
  return name;
}

FlatSymbolRefAttr KernelTable::get(GroupOp group, GroupKernel &kernel, ArrayRef<Layout> inputLayouts,
                                   ArrayRef<unsigned> inputPlaces, ArrayRef<unsigned> resultPlaces) {
  FlatSymbolRefAttr &symbol = kernels[describe(group, inputLayouts, inputPlaces, resultPlaces)];
  if (symbol)
    return symbol;
  OpBuilder builder(group->getParentOfType<GraphOp>());
  std::string stem = chooseName(group), name = stem;
  for (unsigned &next = nextSuffix[stem]; symbols.lookup(name); ++next)
    name = stem + "_" + std::to_string(next);
  auto function = kernel.emit(builder, name, inputPlaces, resultPlaces);
  symbols.insert(function);
  return symbol = FlatSymbolRefAttr::get(function);
}
