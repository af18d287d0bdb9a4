//===- LibraryPrimitives.cpp - rows of one oneDNN primitive ---------------===//

#include "LibraryRowImpl.h"

#include "espalier/Runtime/CPU/Parallel.h"

#include <fmt/format.h>

#include <cmath>

using namespace espalier::rt;
using namespace espalier::rt::library;

/// What the filter gradients of pieces take together at most.
static constexpr int64_t maxPartialBytes = 32 << 20;

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

const dnnl::engine &library::cpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

size_t library::alignedSize(size_t bytes) {
  constexpr size_t alignment = 64;
  return (bytes + alignment - 1) / alignment * alignment;
}

int64_t library::largestDivisor(int64_t number, int64_t limit) {
  int64_t divisor = std::max<int64_t>(std::min(number, limit), 1);
  while (number % divisor != 0)
    --divisor;
  return divisor;
}

Status library::expectOperand(const Place &place, size_t rank, std::string_view what) {
  if ((place.dtype == DType::F32 || place.dtype == DType::BF16) && place.shape.size() == rank)
    return {};
  return invalidInput("{} is {}, expected f32 or bf16 of rank {}", what, formatType(place.dtype, place.shape), rank);
}

memory::data_type library::dataType(const Place &place) {
  return place.dtype == DType::BF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

static FormatTag getImageTag(ImageLayout layout) {
  return layout == ImageLayout::NHWC ? FormatTag::nhwc : FormatTag::nchw;
}

/// A piece of images: dimensions are always N, C, H, W to oneDNN, the tag says how they lie in memory.
static memory::desc describeImage(const Place &place, ImageLayout layout, int64_t numPieces) {
  memory::dims dims = place.shape;
  if (layout == ImageLayout::NHWC)
    dims = {place.shape[0], place.shape[3], place.shape[1], place.shape[2]};
  dims[0] /= numPieces;
  return memory::desc(dims, dataType(place), getImageTag(layout));
}

double library::countElements(const Place &place) {
  double count = 1;
  for (int64_t extent : place.shape)
    count *= static_cast<double>(extent);
  return count;
}

Expected<ConvDescriptors> LibraryRow::Impl::describe(const Conv2DGeometry &geometry, PlaceId inputId, PlaceId filterId,
                                                     PlaceId outputId, bool sumsOverBatch) {
  const Place &input = program.places[inputId], &filter = program.places[filterId], &output = program.places[outputId];
  for (auto [place, what] : {std::pair(&input, "input"), std::pair(&filter, "filter"), std::pair(&output, "output")})
    if (Status status = expectOperand(*place, 4, what); !status.ok())
      return status;
  if (filter.shape[0] % geometry.groups != 0)
    return invalidInput("{} groups do not divide {} output channels", geometry.groups, filter.shape[0]);

  double flopsOfPixel = 2 * countElements(filter) / static_cast<double>(std::max<int64_t>(filter.shape[0], 1));
  int64_t limit = sumsOverBatch ? maxPartialBytes / std::max<int64_t>(filter.byteSize, 1) : maxPieces;
  bool isWhole = input.shape[0] != output.shape[0]; // which the library will refuse
  divide(flopsOfPixel * countElements(output), isWhole ? 1 : input.shape[0], limit);

  ConvDescriptors result;
  result.imageTag = getImageTag(geometry.layout);
  result.input = describeImage(input, geometry.layout, numPieces());
  result.output = describeImage(output, geometry.layout, numPieces());
  memory::dims dims = filter.shape;
  if (geometry.groups > 1)
    dims = {geometry.groups, filter.shape[0] / geometry.groups, filter.shape[1], filter.shape[2], filter.shape[3]};
  result.plainFilter = memory::desc(dims, dataType(filter), geometry.groups > 1 ? FormatTag::goihw : FormatTag::oihw);
  // Gradients are summed up in f32, and rounded afterwards.
  result.anyFilter = memory::desc(dims, sumsOverBatch ? memory::data_type::f32 : dataType(filter), FormatTag::any);
  result.strides = {geometry.strides[0], geometry.strides[1]};
  result.dilations = {geometry.dilations[0] - 1, geometry.dilations[1] - 1};
  result.padBegin = {geometry.pads[0], geometry.pads[1]};
  result.padEnd = {geometry.pads[2], geometry.pads[3]};
  return result;
}

dnnl::primitive_attr library::makeAttributes(const dnnl::post_ops &postOps) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(postOps);
  return attributes;
}

void library::appendClamp(dnnl::post_ops &postOps, const Clamp &clamp) {
  if (clamp.min == 0 && std::isinf(clamp.max))
    postOps.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  else if (!std::isinf(clamp.min) || !std::isinf(clamp.max))
    postOps.append_eltwise(1, dnnl::algorithm::eltwise_clip, std::max(clamp.min, std::numeric_limits<float>::lowest()),
                           std::min(clamp.max, std::numeric_limits<float>::max()));
}

static bool isAccumulating(const Conv2DRow &row) { return row.residual == row.output; }
bool library::hasOwnResidual(const Conv2DRow &row) { return row.residual && !isAccumulating(row); }

dnnl::post_ops library::makePostOps(const Conv2DRow &row, const memory::desc &output) {
  dnnl::post_ops postOps;
  if (isAccumulating(row))
    postOps.append_sum(1);
  else if (row.residual)
    postOps.append_binary(dnnl::algorithm::binary_add, output);
  appendClamp(postOps, row.clamp);
  return postOps;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

Status LibraryRow::Impl::build(const Conv2DRow &row) {
  const Place &output = program.places[row.output];
  if (row.residual &&
      (program.places[*row.residual].shape != output.shape || program.places[*row.residual].dtype != output.dtype))
    return invalidInput("residual and output have different types");
  if (row.bias && program.places[*row.bias].shape != std::vector<int64_t>{program.places[row.filter].shape[0]})
    return invalidInput("bias is {}, expected {} elements",
                        formatType(program.places[*row.bias].dtype, program.places[*row.bias].shape),
                        program.places[row.filter].shape[0]);
  if (isFasterByPatches(row))
    return buildPatches(row);
  auto conv = describe(row.geometry, row.input, row.filter, row.output);
  if (!conv)
    return conv.takeStatus();
  dnnl::post_ops postOps = makePostOps(row, conv->output);
  memory::desc bias;
  if (row.bias)
    bias = memory::desc({program.places[row.filter].shape[0]}, dataType(program.places[*row.bias]), FormatTag::a);
  dnnl::convolution_forward::primitive_desc descriptor(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, conv->input, conv->anyFilter, bias,
       conv->output, conv->strides, conv->dilations, conv->padBegin, conv->padEnd},
      makeAttributes(postOps), cpuEngine());
  setPrimitive(descriptor, dnnl::convolution_forward(descriptor));
  addParts(DNNL_ARG_SRC, row.input, conv->input);
  addOperand(DNNL_ARG_WEIGHTS, row.filter, conv->plainFilter, descriptor.weights_desc(),
             row.constantFilter ? Packing::Once : Packing::EachRun, /*isOutput=*/false);
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  if (hasOwnResidual(row))
    addParts(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, *row.residual, conv->output);
  addParts(DNNL_ARG_DST, row.output, conv->output);
  return {};
}

/// The forward convolution that a backward one asks for as a hint. A gradient may be f32 where all else is narrower.
static dnnl::convolution_forward::primitive_desc describeForward(const ConvDescriptors &conv) {
  memory::data_type type = conv.output.data_type();
  memory::desc input(conv.input.dims(), type, conv.imageTag), filter(conv.anyFilter.dims(), type, FormatTag::any);
  return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, input, filter, conv.output,
           conv.strides, conv.dilations, conv.padBegin, conv.padEnd},
          cpuEngine()};
}

Status LibraryRow::Impl::build(const Conv2DInputGradientRow &row) {
  if (isFasterByPatches(row))
    return buildPatches(row);
  auto conv = describe(row.geometry, row.inputGradient, row.filter, row.outputGradient);
  if (!conv)
    return conv.takeStatus();
  dnnl::convolution_backward_data::primitive_desc descriptor({dnnl::algorithm::convolution_direct, conv->input,
                                                              conv->anyFilter, conv->output, conv->strides,
                                                              conv->dilations, conv->padBegin, conv->padEnd},
                                                             makeAttributes(), cpuEngine(), describeForward(*conv));
  setPrimitive(descriptor, dnnl::convolution_backward_data(descriptor));
  addParts(DNNL_ARG_DIFF_DST, row.outputGradient, conv->output);
  addOperand(DNNL_ARG_WEIGHTS, row.filter, conv->plainFilter, descriptor.weights_desc(), Packing::EachRun,
             /*isOutput=*/false);
  addParts(DNNL_ARG_DIFF_SRC, row.inputGradient, conv->input);
  return {};
}

Status LibraryRow::Impl::build(const Conv2DFilterGradientRow &row) {
  if (isFasterByPatches(row))
    return buildPatches(row);
  auto conv = describe(row.geometry, row.input, row.filterGradient, row.outputGradient, /*sumsOverBatch=*/true);
  if (!conv)
    return conv.takeStatus();
  dnnl::convolution_backward_weights::primitive_desc descriptor({dnnl::algorithm::convolution_direct, conv->input,
                                                                 conv->anyFilter, conv->output, conv->strides,
                                                                 conv->dilations, conv->padBegin, conv->padEnd},
                                                                makeAttributes(), cpuEngine(), describeForward(*conv));
  setPrimitive(descriptor, dnnl::convolution_backward_weights(descriptor));
  addParts(DNNL_ARG_SRC, row.input, conv->input);
  addParts(DNNL_ARG_DIFF_DST, row.outputGradient, conv->output);
  addOperand(DNNL_ARG_DIFF_WEIGHTS, row.filterGradient, conv->plainFilter, descriptor.diff_weights_desc(),
             Packing::EachRun, /*isOutput=*/true);
  return {};
}

Status LibraryRow::Impl::build(const MatmulRow &row) {
  const Place &lhs = program.places[row.lhs], &rhs = program.places[row.rhs], &output = program.places[row.output];
  size_t rank = output.shape.size();
  if (rank != 2 && rank != 3)
    return invalidInput("output is {}, expected rank 2 or 3", formatType(output.dtype, output.shape));
  for (auto [place, what] : {std::pair(&lhs, "lhs"), std::pair(&rhs, "rhs"), std::pair(&output, "output")})
    if (Status status = expectOperand(*place, rank, what); !status.ok())
      return status;

  // Pieces are rows of the output.
  int64_t depth = lhs.shape[row.transposeLhs ? rank - 2 : rank - 1], rows = output.shape[rank - 2];
  bool isDivisible = rank == 2 && lhs.shape[row.transposeLhs ? 1 : 0] == rows;
  divide(2 * countElements(output) * static_cast<double>(depth), isDivisible ? rows : 1);

  auto describe = [rank](const Place &place, bool transpose, bool any = false) {
    memory::dims dims = place.shape;
    if (transpose)
      std::swap(dims[rank - 1], dims[rank - 2]);
    FormatTag tag =
        rank == 2 ? (transpose ? FormatTag::ba : FormatTag::ab) : (transpose ? FormatTag::acb : FormatTag::abc);
    return memory::desc(dims, dataType(place), any ? FormatTag::any : tag);
  };
  memory::desc lhsPart = describe(lhs, row.transposeLhs), rhsPlain = describe(rhs, row.transposeRhs);
  memory::desc outputPart = describe(output, false);
  if (numPieces() > 1) {
    memory::dims strides = row.transposeLhs ? memory::dims{1, rows} : memory::dims{depth, 1};
    lhsPart = memory::desc({rows / numPieces(), depth}, dataType(lhs), strides);
    outputPart = memory::desc({rows / numPieces(), output.shape[1]}, dataType(output), FormatTag::ab);
  }
  // Packing a matrix for one product costs more than it saves.
  memory::desc rhsWanted = describe(rhs, row.transposeRhs, /*any=*/row.constantRhs);
  memory::desc bias;
  if (row.bias) {
    int64_t columns = output.shape[rank - 1];
    memory::data_type type = dataType(program.places[*row.bias]);
    bias = rank == 2 ? memory::desc({1, columns}, type, FormatTag::ab)
                     : memory::desc({1, 1, columns}, type, FormatTag::abc);
    if (program.places[*row.bias].byteSize != static_cast<int64_t>(bias.get_size()))
      return invalidInput("bias has {} bytes, expected {}", program.places[*row.bias].byteSize, bias.get_size());
  }
  dnnl::post_ops postOps;
  appendClamp(postOps, row.clamp);
  dnnl::matmul::primitive_desc descriptor({lhsPart, rhsWanted, bias, outputPart}, makeAttributes(postOps), cpuEngine());
  setPrimitive(descriptor, dnnl::matmul(descriptor));
  size_t lhsRowBytes = byteWidth(lhs.dtype) * static_cast<size_t>(row.transposeLhs ? 1 : depth);
  addParts(DNNL_ARG_SRC, row.lhs, lhsPart, lhsRowBytes * static_cast<size_t>(rows / numPieces()));
  addOperand(DNNL_ARG_WEIGHTS, row.rhs, rhsPlain, descriptor.weights_desc(), Packing::Once, /*isOutput=*/false);
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  addParts(DNNL_ARG_DST, row.output, outputPart);
  return {};
}
