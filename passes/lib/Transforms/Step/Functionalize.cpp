//===- Functionalize.cpp - storage becomes arguments and results ----------===//

#include "espalier/Transforms/StepPasses.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace espalier::cg;

namespace espalier::cg {
#define GEN_PASS_DEF_FUNCTIONALIZE
#include "espalier/Transforms/StepPasses.h.inc"
} // namespace espalier::cg

std::string espalier::cg::storageName(DictionaryAttr attributes) {
  auto get = [&](StringRef name) { return attributes ? attributes.getAs<StringAttr>(name) : StringAttr(); };
  if (StringAttr path = get(pathAttrName)) {
    StringAttr slot = get(slotAttrName);
    return slot ? (path.getValue() + "#" + slot.getValue()).str() : path.str();
  }
  StringAttr name = get(GraphOp::getNameAttrName());
  return name ? name.str() : std::string();
}

namespace {
struct Functionalize final : espalier::cg::impl::FunctionalizeBase<Functionalize> {
  using Base::Base;

  void runOnOperation() override {
    GraphOp graph = getOperation();
    Block &body = graph.getBody().front();
    auto terminator = cast<ReturnOp>(body.getTerminator());
    Builder builder(&getContext());

    SmallVector<DictionaryAttr> argAttrs, resultAttrs;
    graph.getAllArgAttrs(argAttrs);
    graph.getAllResultAttrs(resultAttrs);
    for (auto [index, attributes] : llvm::enumerate(argAttrs))
      attributes = describe(attributes, "input", {}, graph.getArgumentName(index));
    for (auto [index, attributes] : llvm::enumerate(resultAttrs))
      attributes = describe(attributes, "output", {}, "output" + std::to_string(index));

    // Reads become arguments, one for each storage.
    llvm::StringMap<BlockArgument> arguments;
    for (Operation &op : llvm::make_early_inc_range(body)) {
      auto read = describeRead(op, builder);
      if (!read)
        continue;
      auto [it, inserted] = arguments.try_emplace(read->key);
      if (inserted) {
        it->second = body.addArgument(op.getResult(0).getType(), op.getLoc());
        argAttrs.push_back(read->attributes);
      }
      op.getResult(0).replaceAllUsesWith(it->second);
      op.erase();
    }

    // Writes become results, the last one of each storage; a write without a read brings its own argument.
    struct Write {
      Value value;
      NamedAttrList attributes;
    };
    llvm::MapVector<StringAttr, Write> writes;
    SmallVector<std::pair<Value, DictionaryAttr>> gradients;
    for (Operation &op : llvm::make_early_inc_range(body)) {
      if (auto update = dyn_cast<UpdateOp>(op)) {
        writes[builder.getStringAttr(stateKey(update.getPath(), update.getSlot()))] = {
            update.getValue(), describeState(builder, update.getPathAttr(), update.getSlotAttr())};
        op.erase();
      } else if (auto update = dyn_cast<ParameterUpdateOp>(op)) {
        writes[builder.getStringAttr("parameter " + update.getPath())] = {
            update.getValue(), describe({}, "parameter", update.getPathAttr(), {})};
        op.erase();
      } else if (auto mark = dyn_cast<ParameterGradientOp>(op)) {
        if (returnGradients)
          gradients.emplace_back(mark.getGradient(), describe({}, "gradient", mark.getPathAttr(), {}));
        mark.getResult().replaceAllUsesWith(mark.getGradient());
        op.erase();
      }
    }
    SmallVector<Value> results(terminator.getOperands());
    for (auto &[key, write] : writes) {
      auto [it, inserted] = arguments.try_emplace(key.getValue());
      if (inserted) {
        it->second = body.addArgument(write.value.getType(), graph.getLoc());
        argAttrs.push_back(write.attributes.getDictionary(&getContext()));
      }
      write.attributes.set(tiedAttrName, builder.getI64IntegerAttr(it->second.getArgNumber()));
      results.push_back(write.value);
      resultAttrs.push_back(write.attributes.getDictionary(&getContext()));
    }
    for (auto &[value, attributes] : gradients) {
      results.push_back(value);
      resultAttrs.push_back(attributes);
    }
    terminator.getOperandsMutable().assign(results);
    graph.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), TypeRange(ValueRange(results))));
    graph.setAllArgAttrs(argAttrs);
    graph.setAllResultAttrs(resultAttrs);
  }

private:
  struct Read {
    std::string key;
    DictionaryAttr attributes;
  };

  static std::string stateKey(StringRef path, std::optional<StringRef> slot) {
    return slot ? ("slot " + *slot + " " + path).str() : ("state " + path).str();
  }

  DictionaryAttr describe(DictionaryAttr old, StringRef role, StringAttr path, StringRef name) {
    NamedAttrList attributes(old);
    attributes.set(roleAttrName, StringAttr::get(&getContext(), role));
    if (path)
      attributes.set(pathAttrName, path);
    if (!name.empty() && !attributes.get(GraphOp::getNameAttrName()))
      attributes.set(GraphOp::getNameAttrName(), StringAttr::get(&getContext(), name));
    return attributes.getDictionary(&getContext());
  }

  DictionaryAttr describeState(Builder &builder, StringAttr path, StringAttr slot) {
    NamedAttrList attributes(describe({}, slot ? "slot" : "state", path, {}));
    if (slot)
      attributes.set(slotAttrName, slot);
    return attributes.getDictionary(&getContext());
  }

  std::optional<Read> describeRead(Operation &op, Builder &builder) {
    auto withInit = [&](DictionaryAttr attributes, Attribute init) {
      NamedAttrList list(attributes);
      if (init)
        list.set(initAttrName, init);
      return list.getDictionary(&getContext());
    };
    if (auto parameter = dyn_cast<ParameterOp>(op))
      return Read{"parameter " + parameter.getPath().str(),
                  withInit(describe({}, "parameter", parameter.getPathAttr(), {}), parameter.getInitAttr())};
    if (auto state = dyn_cast<StateOp>(op))
      return Read{stateKey(state.getPath(), state.getSlot()),
                  withInit(describeState(builder, state.getPathAttr(), state.getSlotAttr()), state.getInitAttr())};
    if (auto hyper = dyn_cast<HyperOp>(op))
      return Read{"hyper " + hyper.getName().str(), describe({}, "hyper", {}, hyper.getName())};
    return std::nullopt;
  }
};
} // namespace
