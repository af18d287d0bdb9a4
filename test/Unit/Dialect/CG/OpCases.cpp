//===- OpCases.cpp - random legal uses of every op ------------------------===//

#include "OpCases.h"

#include <cmath>
#include <numeric>

using namespace mlir;
using namespace espalier::cg;
using namespace espalier::cg::test;

//===----------------------------------------------------------------------===//
// CaseSource
//===----------------------------------------------------------------------===//

Shape CaseSource::shape(int64_t minRank, int64_t maxRank) {
  const int64_t extents[] = {1, 2, 3, 5};
  Shape result;
  for (int64_t rank = pick(minRank, maxRank); rank > 0; --rank)
    result.push_back(pick(0, 19) == 0 ? 0 : extents[pick(0, 3)]);
  return result;
}

ReferenceTensor CaseSource::uniform(ArrayRef<int64_t> shape, double low, double high, Type type) {
  ReferenceTensor tensor(RankedTensorType::get(shape, type ? type : Type(builder.getF64Type())));
  for (double &element : tensor.data) {
    element = real(low, high);
    if (!isa<FloatType>(tensor.type.getElementType()))
      element = std::floor(element);
  }
  return tensor;
}

ReferenceTensor CaseSource::awayFrom(ArrayRef<int64_t> shape, ArrayRef<double> kinks) {
  ReferenceTensor tensor = uniform(shape, -2.0, 2.0);
  for (double &element : tensor.data)
    while (llvm::any_of(kinks, [&](double kink) { return std::abs(element - kink) < 0.1; }))
      element = real(-2.0, 2.0);
  return tensor;
}

ReferenceTensor CaseSource::distinct(ArrayRef<int64_t> shape) {
  ReferenceTensor tensor(RankedTensorType::get(shape, builder.getF64Type()));
  for (auto [index, element] : llvm::enumerate(tensor.data))
    element = 0.05 * static_cast<double>(index) - 1.0;
  std::shuffle(tensor.data.begin(), tensor.data.end(), generator);
  return tensor;
}

Shape CaseSource::narrower(ArrayRef<int64_t> shape) {
  Shape result(shape.drop_front(pick(0, 3) == 0 ? pick(0, static_cast<int64_t>(shape.size())) : 0));
  for (int64_t &extent : result)
    if (pick(0, 2) == 0)
      extent = 1;
  return result;
}

Shape CaseSource::permutation(int64_t rank) {
  Shape result(rank);
  std::iota(result.begin(), result.end(), 0);
  std::shuffle(result.begin(), result.end(), generator);
  return result;
}

Shape CaseSource::axes(int64_t rank) {
  Shape result = permutation(rank);
  result.truncate(pick(0, rank));
  return result;
}

SmallVector<Type> espalier::cg::test::inferTypes(MLIRContext &context, StringRef name, TypeRange operands,
                                                 const NamedAttrList &attributes) {
  OperationName op(("cg." + name).str(), &context);
  Block block;
  for (Type type : operands)
    block.addArgument(type, UnknownLoc::get(&context));
  SmallVector<Type> types;
  auto *interface = op.getInterface<InferTypeOpInterface>();
  if (failed(interface->inferReturnTypes(&context, UnknownLoc::get(&context), block.getArguments(),
                                         attributes.getDictionary(&context), nullptr, {}, types)))
    types.clear();
  return types;
}

Shape CaseSource::resultShape(StringRef name, const OpCase &opCase) {
  SmallVector<Type> operands;
  for (const ReferenceTensor &operand : opCase.operands)
    operands.push_back(operand.type);
  SmallVector<Type> types = inferTypes(*builder.getContext(), name, operands, opCase.attributes);
  return types.empty() ? Shape() : Shape(cast<RankedTensorType>(types[0]).getShape());
}

//===----------------------------------------------------------------------===//
// Generators shared by several ops
//===----------------------------------------------------------------------===//

static CaseGenerator unary(double low, double high) {
  return [=](CaseSource &source) { return OpCase{{source.uniform(source.shape(0, 4), low, high)}, {}, {}}; };
}

static CaseGenerator unaryAwayFrom(std::vector<double> kinks) {
  return [=](CaseSource &source) { return OpCase{{source.awayFrom(source.shape(0, 4), kinks)}, {}, {}}; };
}

static CaseGenerator binary(double low, double high) {
  return [=](CaseSource &source) {
    Shape shape = source.shape(0, 4);
    Type type = source.numberType();
    if (!isa<FloatType>(type))
      return OpCase{{source.uniform(source.narrower(shape), 1, 9, type), source.uniform(shape, 1, 9, type)}, {}, {}};
    return OpCase{
        {source.uniform(source.narrower(shape), low, high), source.uniform(source.narrower(shape), low, high)}, {}, {}};
  };
}

/// Two operands that never come closer than 0.1.
static OpCase apart(CaseSource &source) {
  Shape shape = source.shape(0, 4);
  OpCase result{
      {source.uniform(source.narrower(shape), 0.0, 1.0), source.uniform(source.narrower(shape), 0.0, 1.0)}, {}, {}};
  for (double &element : result.operands[source.flip()].data)
    element += source.flip() ? 1.1 : -1.1;
  return result;
}

static OpCase along(CaseSource &source, ReferenceTensor operand) {
  OpCase result{{std::move(operand)}, {}, {}};
  source.set(result, "axis", source.pick(0, result.operands[0].rank() - 1));
  return result;
}

static OpCase reduction(CaseSource &source, ReferenceTensor operand) {
  OpCase result{{std::move(operand)}, {}, {}};
  source.set(result, "axes", source.axes(result.operands[0].rank()));
  source.setFlag(result, "keep_dims", source.flip());
  return result;
}

static OpCase randomNumbers(CaseSource &source) {
  OpCase result{{source.uniform({}, 0, 1e9, source.flip() ? source.builder.getI64Type() : source.builder.getI32Type()),
                 source.uniform(source.shape(0, 3), 0.0, 1.0)},
                {},
                {}};
  result.attributes.set("key", source.builder.getStringAttr("key \"1\""));
  return result;
}

//===----------------------------------------------------------------------===//
// Generators of single ops
//===----------------------------------------------------------------------===//

static OpCase compare(CaseSource &source) {
  OpCase result = apart(source);
  result.attributes.set("predicate", ComparePredicateAttr::get(source.builder.getContext(),
                                                               static_cast<ComparePredicate>(source.pick(0, 5))));
  return result;
}

static OpCase where(CaseSource &source) {
  Shape shape = source.shape(0, 4);
  return {{source.uniform(source.narrower(shape), 0, 2, source.builder.getI1Type()),
           source.uniform(source.narrower(shape), -1, 1), source.uniform(source.narrower(shape), -1, 1)},
          {},
          {}};
}

static OpCase castCase(CaseSource &source) {
  Type types[] = {source.builder.getF64Type(), source.builder.getF64Type(), source.builder.getF32Type(),
                  source.builder.getI32Type()};
  Type from = types[source.pick(0, 3)], to = types[source.pick(0, isa<FloatType>(from) ? 3 : 2)];
  OpCase result{{source.uniform(source.shape(0, 4), -9, 9, from)}, {}, {}};
  result.attributes.set("type", TypeAttr::get(to));
  return result;
}

static OpCase clamp(CaseSource &source) {
  OpCase result{{source.awayFrom(source.shape(0, 4), {-1.0, 1.0})}, {}, {}};
  source.setReal(result, "low", -1.0);
  source.setReal(result, "high", 1.0);
  return result;
}

static OpCase leakyRelu(CaseSource &source) {
  OpCase result{{source.awayFrom(source.shape(0, 4), {0.0})}, {}, {}};
  source.setReal(result, "slope", 0.25);
  return result;
}

static OpCase constant(CaseSource &source) {
  ReferenceTensor value = source.uniform(source.shape(0, 3), -9, 9, source.numberType());
  OpCase result;
  SmallVector<Attribute> elements;
  for (double element : value.data)
    elements.push_back(isa<FloatType>(value.type.getElementType())
                           ? Attribute(source.builder.getF64FloatAttr(element))
                           : Attribute(source.builder.getI32IntegerAttr(static_cast<int32_t>(element))));
  if (elements.size() > 1 && source.flip())
    elements.resize(1);
  result.attributes.set("value", DenseElementsAttr::get(value.type, elements));
  return result;
}

static OpCase iota(CaseSource &source) {
  OpCase result;
  source.set(result, "size", source.pick(0, 9));
  result.attributes.set("type", TypeAttr::get(source.numberType()));
  return result;
}

static OpCase extent(CaseSource &source) {
  OpCase result{{source.uniform(source.shape(0, 4), 0, 1)}, {}, {}};
  source.set(result, "axes", source.axes(result.operands[0].rank()));
  result.attributes.set("type", TypeAttr::get(source.numberType()));
  return result;
}

/// Another shape of as many elements: the extents shuffled, some joined.
static Shape regrouped(CaseSource &source, ArrayRef<int64_t> shape) {
  Shape result;
  for (int64_t dim : source.permutation(static_cast<int64_t>(shape.size()))) {
    if (!result.empty() && source.flip())
      result.back() *= shape[dim];
    else
      result.push_back(shape[dim]);
  }
  if (source.flip())
    result.insert(result.begin() + source.pick(0, static_cast<int64_t>(result.size())), 1);
  return result;
}

static OpCase reshape(CaseSource &source) {
  Shape shape = source.shape(0, 4), target = regrouped(source, shape);
  if (!target.empty() && source.flip() && !llvm::is_contained(target, 0))
    target[source.pick(0, static_cast<int64_t>(target.size()) - 1)] = -1;
  OpCase result{{source.uniform(shape, -1, 1, source.numberType())}, {}, {}};
  for (auto [dim, extent] : llvm::enumerate(shape))
    if (auto *entry = llvm::find(target, extent); entry != target.end() && source.flip())
      *entry = -2 - static_cast<int64_t>(dim);
  source.set(result, "shape", target);
  return result;
}

static OpCase reshapeLike(CaseSource &source) {
  Shape shape = source.shape(0, 4);
  return {{source.uniform(shape, -1, 1), source.uniform(regrouped(source, shape), -1, 1)}, {}, {}};
}

static OpCase broadcastLike(CaseSource &source) {
  Shape shape = source.shape(0, 4);
  return {{source.uniform(source.narrower(shape), -1, 1, source.numberType()), source.uniform(shape, -1, 1)}, {}, {}};
}

static OpCase transpose(CaseSource &source) {
  OpCase result{{source.uniform(source.shape(0, 4), -1, 1, source.numberType())}, {}, {}};
  source.set(result, "permutation", source.permutation(result.operands[0].rank()));
  return result;
}

static OpCase slice(CaseSource &source) {
  OpCase result = along(source, source.uniform(source.shape(1, 4), -1, 1, source.numberType()));
  auto axis = cast<IntegerAttr>(result.attributes.get("axis")).getInt();
  int64_t extent = result.operands[0].shape()[axis], start = source.pick(0, extent), end = source.pick(start, extent);
  // A bound counts from the front, or from the end, where -1 is the extent.
  source.set(result, "start", source.flip() ? start : start - extent - 1);
  source.set(result, "end", source.flip() ? end : end - extent - 1);
  source.set(result, "stride", source.pick(1, 3));
  return result;
}

static OpCase sliceGradient(CaseSource &source) {
  OpCase result = slice(source);
  ReferenceTensor like = source.uniform(result.operands[0].shape(), -1, 1);
  result.operands = {source.uniform(source.resultShape("slice", result), -1, 1), std::move(like)};
  return result;
}

static OpCase pad(CaseSource &source) {
  OpCase result{{source.uniform(source.shape(0, 4), -1, 1, source.numberType())}, {}, {}};
  Shape low, high;
  for (int64_t i = 0; i < result.operands[0].rank(); ++i) {
    low.push_back(source.pick(0, 2));
    high.push_back(source.pick(0, 2));
  }
  source.set(result, "low", low);
  source.set(result, "high", high);
  source.setReal(result, "value", source.flip() ? 0.0 : 1.5);
  return result;
}

static OpCase concat(CaseSource &source) {
  Shape shape = source.shape(1, 4);
  Type type = source.numberType();
  OpCase result;
  int64_t axis = source.pick(0, static_cast<int64_t>(shape.size()) - 1), count = source.pick(1, 4);
  for (int64_t i = 0; i < count; ++i) {
    shape[axis] = source.pick(0, 3);
    result.operands.push_back(source.uniform(shape, -1, 1, type));
  }
  source.set(result, "axis", axis);
  return result;
}

static OpCase concatGradient(CaseSource &source) {
  OpCase result = concat(source);
  source.set(result, "index", source.pick(0, static_cast<int64_t>(result.operands.size()) - 1));
  ReferenceTensor cotangent =
      source.uniform(source.resultShape("concat", result), -1, 1, result.operands[0].type.getElementType());
  result.operands.insert(result.operands.begin(), std::move(cotangent));
  return result;
}

static OpCase gather(CaseSource &source) {
  OpCase result = along(source, source.uniform(source.shape(1, 3), -1, 1, source.numberType()));
  auto axis = cast<IntegerAttr>(result.attributes.get("axis")).getInt();
  double extent = static_cast<double>(result.operands[0].shape()[axis]);
  Type type = source.flip() ? source.builder.getI64Type() : source.builder.getI32Type();
  result.operands.push_back(source.uniform(source.shape(0, 2), -1, extent + 1, type)); // some lie outside
  return result;
}

static OpCase scatterAdd(CaseSource &source) {
  OpCase result = gather(source);
  Shape updates = source.resultShape("gather", result);
  result.operands.push_back(source.uniform(updates, -1, 1, result.operands[0].type.getElementType()));
  return result;
}

static OpCase argmax(CaseSource &source) {
  Shape shape = source.shape(1, 4);
  for (int64_t &extent : shape)
    extent = std::max<int64_t>(extent, 1);
  return along(source, source.distinct(shape));
}

/// A convolution's input and filter, and its attributes, each of which may be absent.
static OpCase convolution(CaseSource &source) {
  OpCase result;
  int64_t groups = source.pick(1, 2);
  if (source.flip())
    source.set(result, "strides", {source.pick(1, 3), source.pick(1, 2)});
  if (source.flip())
    source.set(result, "pads", {source.pick(0, 2), source.pick(0, 2), source.pick(0, 1), source.pick(0, 2)});
  if (source.flip())
    source.set(result, "dilations", {source.pick(1, 2), source.pick(1, 2)});
  if (groups != 1 || source.flip())
    source.set(result, "groups", groups);
  int64_t channels = source.pick(1, 2), features = groups * source.pick(1, 2);
  result.operands = {
      source.uniform({source.pick(0, 2), groups * channels, source.pick(5, 6), source.pick(5, 7)}, -1, 1),
      source.uniform({features, channels, source.pick(1, 3), source.pick(1, 3)}, -1, 1)};
  return result;
}

static OpCase convolutionInputGradient(CaseSource &source) {
  OpCase result = convolution(source);
  ReferenceTensor like = result.operands[0], filter = result.operands[1];
  result.operands = {source.uniform(source.resultShape("conv2d", result), -1, 1), std::move(filter), std::move(like)};
  return result;
}

static OpCase convolutionFilterGradient(CaseSource &source) {
  OpCase result = convolution(source);
  ReferenceTensor input = result.operands[0], like = result.operands[1];
  result.operands = {std::move(input), source.uniform(source.resultShape("conv2d", result), -1, 1), std::move(like)};
  return result;
}

static OpCase matmul(CaseSource &source) {
  OpCase result;
  bool transposeA = source.flip(), transposeB = source.flip(), shared = source.flip();
  Shape lead = source.shape(0, 2), rhs = shared ? Shape() : lead;
  int64_t m = source.pick(1, 4), n = source.pick(1, 4), k = source.pick(0, 4);
  lead.append(transposeA ? std::initializer_list<int64_t>{k, m} : std::initializer_list<int64_t>{m, k});
  rhs.append(transposeB ? std::initializer_list<int64_t>{n, k} : std::initializer_list<int64_t>{k, n});
  result.operands = {source.uniform(lead, -1, 1), source.uniform(rhs, -1, 1)};
  source.setFlag(result, "transpose_a", transposeA);
  source.setFlag(result, "transpose_b", transposeB);
  return result;
}

/// Input and vectors over its channels; `positive` counts the last of them that are variances.
static OpCase batchNorm(CaseSource &source, unsigned vectors, bool lastIsVariance) {
  OpCase result;
  Shape shape = source.shape(2, 4);
  shape[0] = source.pick(2, 3); // statistics of one element have no derivative to speak of
  shape[1] = source.pick(1, 3);
  result.operands.push_back(source.uniform(shape, -1, 1));
  for (unsigned i = 0; i < vectors; ++i) {
    bool isVariance = lastIsVariance && i + 1 == vectors;
    result.operands.push_back(source.uniform({shape[1]}, isVariance ? 0.5 : -1.0, 1.5));
  }
  source.setReal(result, "epsilon", 0.01);
  return result;
}

static OpCase pool(CaseSource &source) {
  OpCase result;
  Shape kernel{source.pick(1, 3), source.pick(1, 4)};
  source.set(result, "kernel", kernel);
  if (source.flip())
    source.set(result, "strides", {source.pick(1, 3), source.pick(1, 3)});
  if (source.flip())
    source.set(result, "pads",
               {source.pick(0, kernel[0] / 2), source.pick(0, kernel[1] / 2), source.pick(0, kernel[0] / 2),
                source.pick(0, kernel[1] / 2)});
  source.setFlag(result, "ceil_mode", source.flip());
  result.operands = {source.distinct({source.pick(0, 2), source.pick(1, 2), source.pick(4, 7), source.pick(4, 6)})};
  return result;
}

static CaseGenerator poolGradient(StringRef forward) {
  return [name = forward.str()](CaseSource &source) {
    OpCase result = pool(source);
    result.operands.insert(result.operands.begin(), source.uniform(source.resultShape(name, result), -1, 1));
    return result;
  };
}

static OpCase maxPoolSelect(CaseSource &source) {
  OpCase result = pool(source);
  result.operands.insert(result.operands.begin(), source.uniform(result.operands[0].shape(), -1, 1));
  return result;
}

static OpCase adaptivePool(CaseSource &source) {
  OpCase result{
      {source.uniform({source.pick(0, 2), source.pick(0, 2), source.pick(1, 7), source.pick(1, 7)}, -1, 1)}, {}, {}};
  source.set(result, "extents", {source.pick(1, 5), source.pick(1, 5)});
  return result;
}

static OpCase adaptivePoolGradient(CaseSource &source) {
  OpCase result = adaptivePool(source);
  result.operands.insert(result.operands.begin(),
                         source.uniform(source.resultShape("adaptive_avg_pool2d", result), -1, 1));
  result.attributes.clear();
  result.known = {{0, 2}, {0, 3}};
  return result;
}

static OpCase mutualInformation(CaseSource &source) {
  OpCase result;
  Shape window{2 * source.pick(0, 2) + 1, 2 * source.pick(0, 1) + 1}, dilations;
  int64_t channels = source.pick(0, 2);
  for (int64_t image = source.pick(1, 2); image > 0; --image) {
    Shape shape{source.pick(0, 2), channels};
    for (int64_t extent : window) {
      dilations.push_back(source.pick(1, 2));
      shape.push_back(dilations.back() * (extent / 2) + source.pick(1, 5));
    }
    // Eighths are exact in every type; some are zero.
    ReferenceTensor &operand = result.operands.emplace_back(source.uniform(shape, -8, 16));
    for (double &element : operand.data)
      element = std::max(0.0, std::floor(element)) / 8;
  }
  source.set(result, "window", window);
  source.set(result, "dilations", dilations);
  source.setFlag(result, "remove_diagonal", source.flip());
  return result;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

const std::map<std::string, CaseGenerator> &espalier::cg::test::caseGenerators() {
  static const std::map<std::string, CaseGenerator> generators = {
      {"neg", unary(-2, 2)},
      {"abs", unaryAwayFrom({0.0})},
      {"sign", unaryAwayFrom({0.0})},
      {"exp", unary(-2, 2)},
      {"log", unary(0.5, 3)},
      {"sqrt", unary(0.5, 3)},
      {"rsqrt", unary(0.5, 3)},
      {"tanh", unary(-2, 2)},
      {"erf", unary(-2, 2)},
      {"sigmoid", unary(-3, 3)},
      {"relu", unaryAwayFrom({0.0})},
      {"leaky_relu", leakyRelu},
      {"clamp", clamp},
      {"stop_gradient", unary(-2, 2)},
      {"add", binary(-2, 2)},
      {"sub", binary(-2, 2)},
      {"mul", binary(-2, 2)},
      {"div", binary(0.5, 2)},
      {"maximum", apart},
      {"minimum", apart},
      {"power", binary(0.5, 2)},
      {"compare", compare},
      {"where", where},
      {"cast", castCase},
      {"constant", constant},
      {"iota", iota},
      {"random_uniform", randomNumbers},
      {"random_normal", randomNumbers},
      {"extent", extent},
      {"reshape", reshape},
      {"reshape_like", reshapeLike},
      {"broadcast_like", broadcastLike},
      {"transpose", transpose},
      {"slice", slice},
      {"slice_gradient", sliceGradient},
      {"pad", pad},
      {"concat", concat},
      {"concat_gradient", concatGradient},
      {"gather", gather},
      {"scatter_add", scatterAdd},
      {"reduce_sum",
       [](CaseSource &source) {
         return reduction(source, source.uniform(source.shape(0, 4), -1, 1, source.numberType()));
       }},
      {"reduce_mean", [](CaseSource &source) { return reduction(source, source.uniform(source.shape(0, 4), -1, 1)); }},
      {"reduce_max", [](CaseSource &source) { return reduction(source, source.distinct(source.shape(0, 4))); }},
      {"argmax", argmax},
      {"softmax", [](CaseSource &source) { return along(source, source.uniform(source.shape(1, 4), -2, 2)); }},
      {"log_softmax", [](CaseSource &source) { return along(source, source.uniform(source.shape(1, 4), -2, 2)); }},
      {"conv2d", convolution},
      {"conv2d_input_gradient", convolutionInputGradient},
      {"conv2d_filter_gradient", convolutionFilterGradient},
      {"matmul", matmul},
      {"batch_norm",
       [](CaseSource &source) {
         OpCase result = batchNorm(source, 4, true);
         source.setReal(result, "momentum", 0.1);
         return result;
       }},
      {"batch_norm_inference", [](CaseSource &source) { return batchNorm(source, 4, true); }},
      {"batch_norm_training", [](CaseSource &source) { return batchNorm(source, 2, false); }},
      {"dropout",
       [](CaseSource &source) {
         OpCase result{{source.uniform(source.shape(0, 4), -1, 1)}, {}, {}};
         result.attributes.set("key", source.builder.getStringAttr("drop"));
         source.setReal(result, "rate", 0.5);
         return result;
       }},
      {"mutual_information", mutualInformation},
      {"max_pool2d", pool},
      {"avg_pool2d", pool},
      {"max_pool2d_gradient", poolGradient("max_pool2d")},
      {"max_pool2d_select", maxPoolSelect},
      {"avg_pool2d_gradient", poolGradient("avg_pool2d")},
      {"adaptive_avg_pool2d", adaptivePool},
      {"adaptive_avg_pool2d_gradient", adaptivePoolGradient},
  };
  return generators;
}

const std::map<std::string, std::string> &espalier::cg::test::opsWithoutCases() {
  static const std::map<std::string, std::string> reasons = {
      {"graph", "holds the op of every case"},
      {"return", "ends the graph of every case"},
      {"group", "holds ops that have cases of their own"},
      {"yield", "ends the body of a group"},
      {"parameter", "has no operands; see ReferenceEvaluatorTest"},
      {"state", "has no operands; see ReferenceEvaluatorTest"},
      {"hyper", "has no operands; see ReferenceEvaluatorTest"},
      {"update", "writes storage; see ReferenceEvaluatorTest"},
      {"parameter_gradient", "writes storage; see ReferenceEvaluatorTest"},
      {"parameter_update", "writes storage; see ReferenceEvaluatorTest"},
  };
  return reasons;
}
