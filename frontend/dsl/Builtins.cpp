//===- Builtins.cpp - Functions that the language provides ----------------===//

#include "Builtins.h"
#include "Evaluator.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace espalier;
using namespace espalier::dsl;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::StringRef;

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

mlir::Type espalier::dsl::elementType(StringRef name, mlir::Builder &builder) {
  if (name == "f16")
    return builder.getF16Type();
  if (name == "bf16")
    return builder.getBF16Type();
  if (name == "f32")
    return builder.getF32Type();
  if (name == "f64")
    return builder.getF64Type();
  unsigned width = 0;
  bool isInteger = name.consume_front("i") && !name.getAsInteger(10, width);
  return isInteger ? builder.getIntegerType(width) : mlir::Type();
}

std::string espalier::dsl::elementTypeName(mlir::Type type) {
  std::string name;
  llvm::raw_string_ostream(name) << type;
  return name;
}

//===----------------------------------------------------------------------===//
// Compile-time functions
//===----------------------------------------------------------------------===//

static Value evalLen(Evaluator &, ArrayRef<Value> args) { return Value::integer(args[0].size); }

static Value evalRange(Evaluator &eval, ArrayRef<Value> args) {
  bool fromZero = args[1].isNone();
  int64_t begin = fromZero ? 0 : args[0].intValue, end = fromZero ? args[0].intValue : args[1].intValue;
  int64_t stride = args[2].isNone() ? 1 : args[2].intValue;
  if (stride == 0)
    return eval.error(Diag::RangeStep);
  SmallVector<Value> items;
  int64_t at = begin;
  while (stride > 0 ? at < end : at > end) {
    if (!eval.charge(1))
      return Value::poison();
    items.push_back(Value::integer(at));
    if (llvm::AddOverflow(at, stride, at))
      break;
  }
  return eval.values().sequence(ValueKind::List, items);
}

static Value evalEnumerate(Evaluator &eval, ArrayRef<Value> args) {
  if (!eval.charge(args[0].size))
    return Value::poison();
  SmallVector<Value> items;
  for (auto [i, item] : llvm::enumerate(args[0].elements()))
    items.push_back(eval.values().sequence(ValueKind::Tuple, {Value::integer(i), item}));
  return eval.values().sequence(ValueKind::List, items);
}

static Value evalZip(Evaluator &eval, ArrayRef<Value> args) {
  if (args[0].size != args[1].size)
    return eval.error(Diag::ZipLengths, args[0].size, args[1].size);
  if (!eval.charge(args[0].size))
    return Value::poison();
  SmallVector<Value> items;
  for (auto [a, b] : llvm::zip_equal(args[0].elements(), args[1].elements()))
    items.push_back(eval.values().sequence(ValueKind::Tuple, {a, b}));
  return eval.values().sequence(ValueKind::List, items);
}

static Value evalReversed(Evaluator &eval, ArrayRef<Value> args) {
  if (!eval.charge(args[0].size))
    return Value::poison();
  return eval.values().sequence(args[0].kind, llvm::to_vector(llvm::reverse(args[0].elements())));
}

static Value extremum(Evaluator &eval, ArrayRef<Value> args, Op better) {
  Value best = args[0];
  Value holds = eval.binary(better, args[1], args[0]);
  if (holds.isPoison())
    return holds;
  if (!holds.is(ValueKind::Bool))
    return eval.error(Diag::OperandTypes, better == Op::Lt ? "min" : "max", eval.describe(args[0]),
                      eval.describe(args[1]));
  return holds.intValue ? args[1] : best;
}
static Value evalMin(Evaluator &eval, ArrayRef<Value> args) { return extremum(eval, args, Op::Lt); }
static Value evalMax(Evaluator &eval, ArrayRef<Value> args) { return extremum(eval, args, Op::Gt); }

static Value rounded(Evaluator &eval, double value) {
  // The bounds are exact in a double; beyond them the conversion would be undefined.
  if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0))
    return eval.error(Diag::IntegerTooLarge, toString(Value::floating(value)));
  return Value::integer(int64_t(value));
}
static Value roundBy(Evaluator &eval, ArrayRef<Value> args, double (*function)(double)) {
  return args[0].is(ValueKind::Int) ? args[0] : rounded(eval, function(args[0].real));
}
static Value evalInt(Evaluator &eval, ArrayRef<Value> args) { return roundBy(eval, args, std::trunc); }
static Value evalFloor(Evaluator &eval, ArrayRef<Value> args) { return roundBy(eval, args, std::floor); }
static Value evalCeil(Evaluator &eval, ArrayRef<Value> args) { return roundBy(eval, args, std::ceil); }
/// Ties to even, as in Python.
static Value evalRound(Evaluator &eval, ArrayRef<Value> args) { return roundBy(eval, args, std::nearbyint); }
static Value evalFloat(Evaluator &, ArrayRef<Value> args) { return Value::floating(args[0].number()); }
static Value evalCos(Evaluator &, ArrayRef<Value> args) { return Value::floating(std::cos(args[0].number())); }

/// The number that is nearest to `x` in a floating-point type.
static Value evalNearest(Evaluator &eval, ArrayRef<Value> args) {
  auto type = llvm::dyn_cast<mlir::FloatType>(args[1].dtype());
  if (!type)
    return eval.error(Diag::ArgumentType, "nearest", "a floating-point type", "type", eval.describe(args[1]));
  mlir::FloatAttr rounded = eval.attrs().getFloatAttr(type, args[0].number());
  return Value::floating(rounded.getValueAsDouble());
}

static Value evalStr(Evaluator &eval, ArrayRef<Value> args) {
  return args[0].is(ValueKind::String) ? args[0] : eval.values().string(toString(args[0]));
}
static Value evalKind(Evaluator &eval, ArrayRef<Value> args) {
  return eval.values().string(args[0].is(ValueKind::Dim) ? "int" : kindName(args[0].kind));
}

static Value evalRequire(Evaluator &eval, ArrayRef<Value> args) {
  return args[0].intValue ? Value::none() : eval.error(Diag::UserError, args[1].string());
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static Value evalShape(Evaluator &eval, ArrayRef<Value> args) {
  SmallVector<Value> dims;
  for (const cg::DimExpr &dim : eval.shapeOf(args[0]).dims)
    dims.push_back(eval.values().extent(dim));
  return eval.values().sequence(ValueKind::List, dims);
}
static Value evalRank(Evaluator &eval, ArrayRef<Value> args) { return Value::integer(eval.shapeOf(args[0]).rank()); }
static Value evalDType(Evaluator &eval, ArrayRef<Value> args) {
  return Value::dtype(eval.shapeOf(args[0]).elementType);
}

/// An elementwise operation whose operands may be numbers beside a tensor.
static Value evalWithScalars(Evaluator &eval, StringRef operation, Value left, Value right) {
  if (!left.isTensor() && !right.isTensor())
    return eval.error(Diag::OperandTypes, operation.drop_front(3), eval.describe(left), eval.describe(right));
  Value like = left.isTensor() ? left : right;
  left = eval.toTensor(left, like);
  right = eval.toTensor(right, like);
  if (left.isPoison() || right.isPoison())
    return Value::poison();
  return eval.emitOp(operation, {left, right}, {}, {"left operand", "right operand"});
}
static Value evalMaximum(Evaluator &eval, ArrayRef<Value> args) {
  return evalWithScalars(eval, "cg.maximum", args[0], args[1]);
}
static Value evalMinimum(Evaluator &eval, ArrayRef<Value> args) {
  return evalWithScalars(eval, "cg.minimum", args[0], args[1]);
}
static Value evalWhere(Evaluator &eval, ArrayRef<Value> args) {
  Value yes = args[1], no = args[2];
  if (!yes.isTensor() && !no.isTensor())
    return eval.error(Diag::OperandTypes, "where", eval.describe(yes), eval.describe(no));
  Value like = yes.isTensor() ? yes : no;
  yes = eval.toTensor(yes, like);
  no = eval.toTensor(no, like);
  if (yes.isPoison() || no.isPoison())
    return Value::poison();
  return eval.emitOp("cg.where", {args[0], yes, no}, {}, {"condition", "on_true", "on_false"});
}

static Value evalParam(Evaluator &eval, ArrayRef<Value> args) {
  return eval.emitStorage(/*isState=*/false, args[0].string(), args[1].elements(), args[2],
                          args[3].isNone() ? eval.attrs().getF32Type() : args[3].dtype());
}
static Value evalState(Evaluator &eval, ArrayRef<Value> args) {
  return eval.emitStorage(/*isState=*/true, args[0].string(), args[1].elements(), args[2],
                          args[3].isNone() ? eval.attrs().getF32Type() : args[3].dtype());
}
static Value evalConstant(Evaluator &eval, ArrayRef<Value> args) {
  mlir::Type type = args[2].isNone() ? eval.attrs().getF32Type() : args[2].dtype();
  auto isNumber = [](const Value &value) { return value.isNumber(); };
  if (!args[0].isNumber() && !(args[0].isSequence() && llvm::all_of(args[0].elements(), isNumber)))
    return eval.error(Diag::ArgumentType, "constant", "a number or a list of numbers", "values",
                      eval.describe(args[0]));
  if (!llvm::isa<mlir::FloatType>(type))
    return eval.error(Diag::ArgumentType, "constant", "a floating-point type", "type", eval.describe(args[2]));
  return eval.emitConstant(args[0].isSequence() ? args[0].elements() : args.take_front(), args[1].elements(), type,
                           /*isSplat=*/!args[0].isSequence());
}
/// Its random numbers are keyed by the path of the layer.
static Value evalDropout(Evaluator &eval, ArrayRef<Value> args) {
  return eval.emitOp("cg.dropout", args[0],
                     {eval.attrs().getNamedAttr("key", eval.attrs().getStringAttr(eval.scope())),
                      eval.attrs().getNamedAttr("rate", eval.attrs().getF64FloatAttr(args[1].number()))},
                     {"x"});
}

//===----------------------------------------------------------------------===//
// Initialisers
//===----------------------------------------------------------------------===//

static mlir::FloatAttr real(Evaluator &eval, const Value &value, double absent) {
  return eval.attrs().getF64FloatAttr(value.isNone() ? absent : value.number());
}
static Value evalFill(Evaluator &eval, ArrayRef<Value> args) {
  return Value::init(cg::FillAttr::get(eval.attrs().getContext(), real(eval, args[0], 0)));
}
static Value evalUniform(Evaluator &eval, ArrayRef<Value> args) {
  return Value::init(cg::UniformAttr::get(eval.attrs().getContext(), real(eval, args[0], 0), real(eval, args[1], 1)));
}
static Value evalNormal(Evaluator &eval, ArrayRef<Value> args) {
  return Value::init(cg::NormalAttr::get(eval.attrs().getContext(), real(eval, args[0], 0), real(eval, args[1], 1)));
}
template <typename Attr> static Value evalKaiming(Evaluator &eval, ArrayRef<Value> args) {
  std::optional<cg::FanMode> fan = args[0].isNone() ? cg::FanMode::fan_in : cg::symbolizeFanMode(args[0].string());
  if (!fan)
    return eval.error(Diag::UnknownKey, "fan", args[0].string(), didYouMean(args[0].string(), {"fan_in", "fan_out"}));
  return Value::init(Attr::get(eval.attrs().getContext(), *fan, real(eval, args[1], std::sqrt(2.0))));
}

template <unsigned width> static Value evalIntegerType(Evaluator &eval, ArrayRef<Value>) {
  return Value::dtype(eval.attrs().getIntegerType(width));
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

static std::vector<Builtin> makeBuiltins() {
  using K = ParamKind;
  auto opt = [](StringRef name, K kind) { return BuiltinParam{name, kind, /*isOptional=*/true}; };
  auto op = [](StringRef name, StringRef operation, SmallVector<BuiltinParam, 6> params) {
    return Builtin{name, std::move(params), operation};
  };
  /// Elementwise, of one tensor or one number.
  auto math = [](StringRef name, StringRef operation, double (*scalar)(double)) {
    return Builtin{name, {{"x", K::Tensor}}, operation, nullptr, scalar};
  };
  auto fn = [](StringRef name, SmallVector<BuiltinParam, 6> params, Value (*evaluate)(Evaluator &, ArrayRef<Value>)) {
    return Builtin{name, std::move(params), "", evaluate};
  };
  auto type = [](StringRef name, Value (*evaluate)(Evaluator &, ArrayRef<Value>)) {
    return Builtin{name, {}, "", evaluate, nullptr, /*isValue=*/true};
  };
  auto pool = [&](StringRef name, StringRef operation) {
    return op(name, operation,
              {{"x", K::Tensor},
               {"kernel", K::Ints},
               opt("strides", K::Ints),
               opt("pads", K::Ints),
               opt("ceil_mode", K::Flag)});
  };
  auto reduction = [&](StringRef name, StringRef operation) {
    return op(name, operation, {{"x", K::Tensor}, {"axes", K::Axes}, opt("keep_dims", K::Flag)});
  };

  return {
      // Numbers, lists, checks.
      fn("len", {{"items", K::Sequence}}, evalLen),
      fn("range", {{"begin", K::Int}, opt("end", K::Int), opt("step", K::Int)}, evalRange),
      fn("enumerate", {{"items", K::Sequence}}, evalEnumerate),
      fn("zip", {{"a", K::Sequence}, {"b", K::Sequence}}, evalZip),
      fn("reversed", {{"items", K::Sequence}}, evalReversed),
      fn("min", {{"a", K::Any}, {"b", K::Any}}, evalMin),
      fn("max", {{"a", K::Any}, {"b", K::Any}}, evalMax),
      fn("int", {{"x", K::Number}}, evalInt),
      fn("float", {{"x", K::Number}}, evalFloat),
      fn("cos", {{"x", K::Number}}, evalCos),
      fn("nearest", {{"x", K::Number}, {"type", K::DType}}, evalNearest),
      fn("floor", {{"x", K::Number}}, evalFloor),
      fn("ceil", {{"x", K::Number}}, evalCeil),
      fn("round", {{"x", K::Number}}, evalRound),
      fn("str", {{"x", K::Any}}, evalStr),
      fn("kind", {{"x", K::Any}}, evalKind),
      fn("require", {{"condition", K::Bool}, {"message", K::String}}, evalRequire),

      // What is known of a tensor.
      fn("shape", {{"x", K::Tensor}}, evalShape),
      fn("rank", {{"x", K::Tensor}}, evalRank),
      fn("dtype", {{"x", K::Tensor}}, evalDType),

      // Element types.
      type("f16", [](Evaluator &eval, ArrayRef<Value>) { return Value::dtype(eval.attrs().getF16Type()); }),
      type("bf16", [](Evaluator &eval, ArrayRef<Value>) { return Value::dtype(eval.attrs().getBF16Type()); }),
      type("f32", [](Evaluator &eval, ArrayRef<Value>) { return Value::dtype(eval.attrs().getF32Type()); }),
      type("f64", [](Evaluator &eval, ArrayRef<Value>) { return Value::dtype(eval.attrs().getF64Type()); }),
      type("i1", evalIntegerType<1>),
      type("i8", evalIntegerType<8>),
      type("i32", evalIntegerType<32>),
      type("i64", evalIntegerType<64>),

      // Parameters, states and how they start.
      fn("param", {{"name", K::String}, {"shape", K::Ints}, {"init", K::Init}, opt("type", K::DType)}, evalParam),
      fn("state", {{"name", K::String}, {"shape", K::Ints}, {"init", K::Init}, opt("type", K::DType)}, evalState),
      fn("constant", {{"values", K::Any}, {"shape", K::Ints}, opt("type", K::DType)}, evalConstant),
      fn("fill", {{"value", K::Float}}, evalFill),
      fn("uniform", {{"low", K::Float}, {"high", K::Float}}, evalUniform),
      fn("normal", {opt("mean", K::Float), opt("deviation", K::Float)}, evalNormal),
      fn("kaiming_uniform", {opt("fan", K::String), opt("gain", K::Float)}, evalKaiming<cg::KaimingUniformAttr>),
      fn("kaiming_normal", {opt("fan", K::String), opt("gain", K::Float)}, evalKaiming<cg::KaimingNormalAttr>),

      // Elementwise.
      math("neg", "cg.neg", [](double x) { return -x; }),
      math("abs", "cg.abs", std::fabs),
      math("sign", "cg.sign", nullptr),
      math("exp", "cg.exp", std::exp),
      math("log", "cg.log", std::log),
      math("sqrt", "cg.sqrt", std::sqrt),
      math("rsqrt", "cg.rsqrt", nullptr),
      math("tanh", "cg.tanh", std::tanh),
      math("erf", "cg.erf", std::erf),
      math("sigmoid", "cg.sigmoid", nullptr),
      math("relu", "cg.relu", nullptr),
      op("leaky_relu", "cg.leaky_relu", {{"x", K::Tensor}, {"slope", K::Float}}),
      op("clamp", "cg.clamp", {{"x", K::Tensor}, {"low", K::Float}, {"high", K::Float}}),
      math("stop_gradient", "cg.stop_gradient", nullptr),
      fn("maximum", {{"a", K::Any}, {"b", K::Any}}, evalMaximum),
      fn("minimum", {{"a", K::Any}, {"b", K::Any}}, evalMinimum),
      fn("where", {{"condition", K::Tensor}, {"a", K::Any}, {"b", K::Any}}, evalWhere),
      op("cast", "cg.cast", {{"x", K::Tensor}, {"type", K::DType}}),

      // Convolution, products, normalisation, pools.
      op("conv2d", "cg.conv2d",
         {{"x", K::Tensor},
          {"filter", K::Tensor},
          opt("strides", K::Ints),
          opt("pads", K::Ints),
          opt("dilations", K::Ints),
          opt("groups", K::Int)}),
      op("matmul", "cg.matmul",
         {{"a", K::Tensor}, {"b", K::Tensor}, opt("transpose_a", K::Flag), opt("transpose_b", K::Flag)}),
      op("batch_norm_with", "cg.batch_norm",
         {{"x", K::Tensor},
          {"scale", K::Tensor},
          {"shift", K::Tensor},
          {"mean", K::Tensor},
          {"variance", K::Tensor},
          {"epsilon", K::Float},
          {"momentum", K::Float}}),
      fn("_dropout", {{"x", K::Tensor}, {"rate", K::Float}}, evalDropout),
      pool("max_pool2d", "cg.max_pool2d"),
      pool("avg_pool2d", "cg.avg_pool2d"),
      op("adaptive_avg_pool2d", "cg.adaptive_avg_pool2d", {{"x", K::Tensor}, {"extents", K::Ints}}),
      op("softmax", "cg.softmax", {{"x", K::Tensor}, {"axis", K::Axis}}),
      op("log_softmax", "cg.log_softmax", {{"x", K::Tensor}, {"axis", K::Axis}}),

      // Shape and selection.
      op("reshape", "cg.reshape", {{"x", K::Tensor}, {"shape", K::Extents}}),
      op("reshape_like", "cg.reshape_like", {{"x", K::Tensor}, {"like", K::Tensor}}),
      op("broadcast_like", "cg.broadcast_like", {{"x", K::Tensor}, {"like", K::Tensor}}),
      op("transpose", "cg.transpose", {{"x", K::Tensor}, {"permutation", K::Axes}}),
      op("pad", "cg.pad", {{"x", K::Tensor}, {"low", K::Ints}, {"high", K::Ints}, {"value", K::Float}}),
      op("_slice", "cg.slice",
         {{"x", K::Tensor}, {"axis", K::Axis}, {"start", K::Int}, {"end", K::Int}, {"stride", K::Int}}),
      op("concat", "cg.concat", {{"inputs", K::Tensors}, {"axis", K::Axis}}),
      op("gather", "cg.gather", {{"x", K::Tensor}, {"indices", K::Tensor}, {"axis", K::Axis}}),
      op("scatter_add", "cg.scatter_add",
         {{"x", K::Tensor}, {"indices", K::Tensor}, {"updates", K::Tensor}, {"axis", K::Axis}}),
      op("iota", "cg.iota", {{"size", K::Int}, {"type", K::DType}}),
      op("extent", "cg.extent", {{"x", K::Tensor}, {"axes", K::Axes}, {"type", K::DType}}),

      // Reductions.
      reduction("reduce_sum", "cg.reduce_sum"),
      reduction("reduce_mean", "cg.reduce_mean"),
      reduction("reduce_max", "cg.reduce_max"),
      op("argmax", "cg.argmax", {{"x", K::Tensor}, {"axis", K::Axis}}),
  };
}

ArrayRef<Builtin> espalier::dsl::allBuiltins() {
  static const std::vector<Builtin> table = makeBuiltins();
  return table;
}

const Builtin *espalier::dsl::lookupBuiltin(StringRef name) {
  static const llvm::StringMap<const Builtin *> byName = [] {
    llvm::StringMap<const Builtin *> map;
    for (const Builtin &builtin : allBuiltins())
      map[builtin.name] = &builtin;
    return map;
  }();
  return byName.lookup(name);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

StringRef espalier::dsl::describe(ParamKind kind) {
  static constexpr const char *names[] = {"a value",
                                          "an int or a float",
                                          "an int",
                                          "a list of ints",
                                          "a list of ints",
                                          "a dimension",
                                          "a list of dimensions",
                                          "an int or a float",
                                          "a bool",
                                          "a bool",
                                          "a string",
                                          "a list or a tuple",
                                          "an element type",
                                          "an init",
                                          "a tensor",
                                          "a list of tensors"};
  return names[unsigned(kind)];
}

bool espalier::dsl::accepts(ParamKind kind, const Value &value) {
  auto isSequenceOf = [&](auto predicate) { return value.isSequence() && llvm::all_of(value.elements(), predicate); };
  switch (kind) {
  case ParamKind::Any:
    return true;
  case ParamKind::Number:
  case ParamKind::Float:
    return value.isNumber();
  case ParamKind::Int:
  case ParamKind::Axis:
    return value.is(ValueKind::Int);
  case ParamKind::Ints:
  case ParamKind::Axes:
    return isSequenceOf([](const Value &item) { return item.is(ValueKind::Int); });
  case ParamKind::Extents:
    return isSequenceOf([](const Value &item) { return item.isInteger(); });
  case ParamKind::Flag:
  case ParamKind::Bool:
    return value.is(ValueKind::Bool);
  case ParamKind::String:
    return value.is(ValueKind::String);
  case ParamKind::Sequence:
    return value.isSequence();
  case ParamKind::DType:
    return value.is(ValueKind::DType);
  case ParamKind::Init:
    return value.is(ValueKind::Init);
  case ParamKind::Tensor:
    return value.isTensor();
  case ParamKind::Tensors:
    return isSequenceOf([](const Value &item) { return item.isTensor(); });
  }
  llvm_unreachable("covered switch");
}
