//===- LibraryRow.cpp - A row that oneDNN computes ------------------------===//
//
// Images stay in the layout of the program; filters go from OIHW to whatever the implementation prefers, once if they
// are constant and before each call otherwise. oneDNN caches primitives by descriptor itself, so that equal rows share
// one. It throws; no exception leaves this file.
//
// Some implementations sum across threads, so that their bits depend on how many there are. A deterministic row is
// instead cut into pieces along the batch, as many as its shapes say, and each piece is one primitive for one thread;
// the filter gradients of the pieces are added up in their order.
//
// Convolutions of oneDNN go image by image and read all filters for each. Where an image has a few pixels and the
// filters are larger than a cache, a product of patches of many images is up to thirty times as fast.
//
//===----------------------------------------------------------------------===//

#include "LibraryRow.h"

#include "Patches.h"

#include "espalier/Runtime/CPU/Parallel.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <cmath>
#include <unordered_map>

using namespace espalier::rt;
using dnnl::memory;
using FormatTag = dnnl::memory::format_tag;

static constexpr size_t alignment = 64;
/// Pieces of a deterministic row at most, and what their filter gradients take together at most.
static constexpr int64_t maxPieces = 8, maxPartialBytes = 32 << 20;
/// Pixels of one image up to which patches are faster than a convolution (measured on Sapphire Rapids, in bf16), bytes
/// of filters below which these stay in a cache anyway, and rows of one product, whose operands do then.
static constexpr int64_t maxForwardPixels = 16, maxGradientPixels = 64, minFilterBytes = 1 << 20, rowsOfProduct = 512;
/// A row of fewer operations takes less time on one thread than it takes to wake a team.
static constexpr double minTeamFlops = 8e6;
static size_t alignedSize(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

static const dnnl::engine &cpuEngine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

/// Runs `body`, turning what oneDNN throws into a status.
template <typename Body> static Status guard(Body &&body) {
  try {
    return body();
  } catch (const dnnl::error &error) {
    if (error.status == dnnl_out_of_memory)
      return environmentError("oneDNN is out of memory");
    return unsupported("oneDNN refuses: {}", error.what());
  } catch (const std::bad_alloc &) {
    return environmentError("out of memory");
  }
}

namespace {
struct ConvDescriptors;
} // namespace

struct LibraryRow::Impl {
  enum class Packing : uint8_t { None, EachRun, Once };

  using Arguments = std::unordered_map<int, memory>;

  /// A place and what the primitive wants in its stead.
  struct Operand {
    std::optional<int> argument; ///< of the primitive
    PlaceId place = 0;
    Packing packing = Packing::None;
    bool isOutput = false;
    size_t pieceBytes = 0; ///< from one piece's part to the next one's; 0 where pieces share the operand
    memory plain;          ///< at the place
    memory packed;         ///< in constants or scratch; the same as `plain` without packing
    Arguments reorderArguments;
    dnnl::reorder reorder;

    /// Bytes of what is packed, for all pieces.
    size_t packedBytes(int64_t numPieces) const {
      return pieceBytes ? pieceBytes * static_cast<size_t>(numPieces) : alignedSize(packed.get_desc().get_size());
    }
  };

  dnnl::stream stream{cpuEngine()};
  dnnl::primitive primitive;
  std::string implementation;
  std::vector<Operand> operands;
  std::vector<Arguments> pieces = std::vector<Arguments>(1); ///< of the primitive, each for its part of the row
  std::vector<Status> pieceStatus;
  size_t constantBytes = 0, scratchBytes = 0, scratchpadBytes = 0;

  const ProgramTable &program;
  int threads; ///< of the program
  bool isDeterministic;
  bool isForOneThread = false; ///< the primitive
  Impl(const ProgramTable &program, int threads, bool isDeterministic)
      : program(program), threads(threads), isDeterministic(isDeterministic) {}

  /// A convolution as products of patches, for some images at a time.
  struct Patches {
    PatchGeometry geometry;
    int64_t images = 1, chunks = 1; ///< of a chunk, and chunks
    memory source, patches;
    /// An operand of which each chunk has a part: the place, and the argument.
    std::vector<std::pair<memory, memory>> parts;
    /// Adds the products of later chunks to the result, in a filter gradient.
    dnnl::primitive accumulate;
  };
  std::optional<Patches> patches;
  /// The same memory under two descriptions: an operand, and what a product reads.
  std::vector<std::pair<memory, memory>> aliases;

  int64_t numPieces() const { return static_cast<int64_t>(pieces.size()); }
  /// Decides on pieces along a dimension of this extent, and for how many threads the primitive is.
  void divide(double flops, int64_t extent, int64_t limit = maxPieces);
  Status runPieces();
  void addUpPieces(const Operand &operand);
  /// The row's geometry, divided into pieces.
  Expected<ConvDescriptors> describe(const Conv2DGeometry &geometry, PlaceId input, PlaceId filter, PlaceId output,
                                     bool sumsOverBatch = false);

  Status build(const Row &row);
  Status build(const DispatchRow &) { return unsupported("a kernel is no library call"); }
  Status build(const Conv2DRow &row);
  Status build(const Conv2DInputGradientRow &row);
  Status build(const Conv2DFilterGradientRow &row);
  Status build(const MatmulRow &row);

  Status buildPatches(const Conv2DRow &row);
  Status buildPatches(const Conv2DInputGradientRow &row);
  Status buildPatches(const Conv2DFilterGradientRow &row);
  /// Says what patches are made of: images at this place.
  void startPatches(const PatchGeometry &geometry, PlaceId images);
  void addPart(int argument, PlaceId place, const memory::desc &part);
  void addAlias(int argument, const memory &operand, const memory::desc &desc);
  void addFilters(int argument, PlaceId filter, std::array<int, 3> order, const memory::desc &matrix, Packing packing,
                  bool isOutput);
  void executePatches();

  template <typename Descriptor> void setPrimitive(const Descriptor &descriptor, dnnl::primitive made) {
    primitive = std::move(made);
    implementation = descriptor.impl_info_str();
    scratchpadBytes = alignedSize(descriptor.scratchpad_desc().get_size());
    scratchBytes += scratchpadBytes * pieces.size();
    for (Arguments &arguments : pieces)
      arguments.insert({DNNL_ARG_SCRATCHPAD, memory(descriptor.scratchpad_desc(), cpuEngine(), nullptr)});
  }
  /// An operand of which each piece takes a part, described by `part`.
  void addParts(int argument, PlaceId place, const memory::desc &part, size_t pieceBytes);
  void addParts(int argument, PlaceId place, const memory::desc &part) {
    addParts(argument, place, part, static_cast<size_t>(program.places[place].byteSize / numPieces()));
  }
  void addOperand(int argument, PlaceId place, const memory::desc &plain) {
    addOperand(argument, place, plain, plain, Packing::None, /*isOutput=*/false);
  }
  /// An operand that the primitive wants as `wanted`.
  void addOperand(int argument, PlaceId place, const memory::desc &plain, const memory::desc &wanted, Packing packing,
                  bool isOutput);
  /// The same for what is no argument itself; returns what is at hand of it.
  memory addOperand(PlaceId place, const memory::desc &plain, const memory::desc &wanted, Packing packing,
                    bool isOutput);
};

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

namespace {

/// Geometry of a piece in oneDNN's terms, with shapes checked to be what its descriptors assume.
struct ConvDescriptors {
  memory::desc input, output, plainFilter, anyFilter;
  FormatTag imageTag;
  memory::dims strides, dilations, padBegin, padEnd;
};

} // namespace

static Status expectOperand(const Place &place, size_t rank, std::string_view what) {
  if ((place.dtype == DType::F32 || place.dtype == DType::BF16) && place.shape.size() == rank)
    return {};
  return invalidInput("{} is {}, expected f32 or bf16 of rank {}", what, formatType(place.dtype, place.shape), rank);
}

static memory::data_type dataType(const Place &place) {
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

static double countElements(const Place &place) {
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

static dnnl::primitive_attr makeAttributes(const dnnl::post_ops &postOps = {}) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_post_ops(postOps);
  return attributes;
}

static void appendClamp(dnnl::post_ops &postOps, const Clamp &clamp) {
  if (clamp.min == 0 && std::isinf(clamp.max))
    postOps.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  else if (!std::isinf(clamp.min) || !std::isinf(clamp.max))
    postOps.append_eltwise(1, dnnl::algorithm::eltwise_clip, std::max(clamp.min, std::numeric_limits<float>::lowest()),
                           std::min(clamp.max, std::numeric_limits<float>::max()));
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

memory LibraryRow::Impl::addOperand(PlaceId place, const memory::desc &plain, const memory::desc &wanted,
                                    Packing packing, bool isOutput) {
  Operand operand;
  operand.place = place;
  operand.isOutput = isOutput;
  operand.plain = memory(plain, cpuEngine(), nullptr);
  bool isSummed = isOutput && numPieces() > 1;
  if (wanted == plain && !isSummed) {
    operand.packed = operand.plain;
  } else {
    operand.packing = packing;
    operand.packed = memory(wanted, cpuEngine(), nullptr);
    memory &from = isOutput ? operand.packed : operand.plain, &to = isOutput ? operand.plain : operand.packed;
    operand.reorder = dnnl::reorder(from, to);
    operand.reorderArguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (isSummed)
      operand.pieceBytes = alignedSize(wanted.get_size());
    (packing == Packing::Once ? constantBytes : scratchBytes) += operand.packedBytes(numPieces());
  }
  operands.push_back(operand);
  return operand.packed;
}

void LibraryRow::Impl::addOperand(int argument, PlaceId place, const memory::desc &plain, const memory::desc &wanted,
                                  Packing packing, bool isOutput) {
  addOperand(place, plain, wanted, packing, isOutput);
  operands.back().argument = argument;
  for (Arguments &arguments : pieces)
    arguments.insert({argument, memory(wanted, cpuEngine(), nullptr)});
}

void LibraryRow::Impl::addParts(int argument, PlaceId place, const memory::desc &part, size_t pieceBytes) {
  Operand operand;
  operand.argument = argument;
  operand.place = place;
  operand.pieceBytes = pieceBytes;
  operand.plain = operand.packed = memory(part, cpuEngine(), nullptr);
  for (Arguments &arguments : pieces)
    arguments.insert({argument, memory(part, cpuEngine(), nullptr)});
  operands.push_back(std::move(operand));
}

/// The largest divisor of `number` that is at most `limit`.
static int64_t largestDivisor(int64_t number, int64_t limit) {
  int64_t divisor = std::max<int64_t>(std::min(number, limit), 1);
  while (number % divisor != 0)
    --divisor;
  return divisor;
}

void LibraryRow::Impl::divide(double flops, int64_t extent, int64_t limit) {
  bool isSmall = flops < minTeamFlops;
  isForOneThread = isSmall || isDeterministic;
  if (isDeterministic && !isSmall) {
    pieces.resize(static_cast<size_t>(largestDivisor(extent, std::min(limit, maxPieces))));
    pieceStatus.resize(pieces.size());
  }
  if (isForOneThread)
    useThreads(1); // the library makes primitives for the pool as it is
}

static bool isAccumulating(const Conv2DRow &row) { return row.residual == row.output; }
static bool hasOwnResidual(const Conv2DRow &row) { return row.residual && !isAccumulating(row); }

/// What follows a convolution; `output` describes the output as the primitive sees it.
static dnnl::post_ops makePostOps(const Conv2DRow &row, const memory::desc &output) {
  dnnl::post_ops postOps;
  if (isAccumulating(row))
    postOps.append_sum(1);
  else if (row.residual)
    postOps.append_binary(dnnl::algorithm::binary_add, output);
  appendClamp(postOps, row.clamp);
  return postOps;
}

//===----------------------------------------------------------------------===//
// Products of patches
//===----------------------------------------------------------------------===//

static bool isFasterByPatches(const ProgramTable &program, const Conv2DGeometry &geometry, PlaceId inputId,
                              PlaceId filterId, PlaceId outputId, int64_t maxPixels) {
  const Place &input = program.places[inputId], &filter = program.places[filterId], &output = program.places[outputId];
  if (geometry.layout != ImageLayout::NHWC || geometry.groups != 1 || input.dtype != DType::BF16 ||
      output.dtype != DType::BF16 || input.shape.size() != 4 || output.shape.size() != 4 || filter.shape.size() != 4)
    return false;
  // What does not fit together is for the library to refuse.
  if (input.shape[0] != output.shape[0] || input.shape[3] != filter.shape[1] || output.shape[3] != filter.shape[0])
    return false;
  return filter.shape[2] * filter.shape[3] > 1 && input.shape[0] > 1 &&
         2 * countElements(filter) >= static_cast<double>(minFilterBytes) &&
         output.shape[1] * output.shape[2] <= maxPixels;
}

void LibraryRow::Impl::startPatches(const PatchGeometry &geometry, PlaceId images) {
  isForOneThread = isDeterministic;
  if (isForOneThread)
    useThreads(1); // the library makes primitives for the pool as it is
  const Place &place = program.places[images];
  memory::desc whole(place.shape, dataType(place), FormatTag::abcd);
  Patches &item = patches.emplace();
  item.geometry = geometry;
  item.images = largestDivisor(place.shape[0], rowsOfProduct / geometry.positions());
  item.chunks = place.shape[0] / item.images;
  item.source = addOperand(images, whole, whole, Packing::None, /*isOutput=*/false);
  memory::dim elements = geometry.patchBytes() / static_cast<int64_t>(byteWidth(place.dtype));
  memory::desc rows({item.images * geometry.positions(), elements}, dataType(place), FormatTag::ab);
  item.patches = memory(rows, cpuEngine(), nullptr);
  scratchBytes += alignedSize(rows.get_size());
}

void LibraryRow::Impl::addPart(int argument, PlaceId place, const memory::desc &part) {
  memory::dims dims = program.places[place].shape;
  memory::desc whole(dims, part.data_type(), FormatTag::abcd);
  memory view(part, cpuEngine(), nullptr);
  pieces.front().insert({argument, view});
  patches->parts.emplace_back(addOperand(place, whole, whole, Packing::None, /*isOutput=*/false), view);
}

void LibraryRow::Impl::addAlias(int argument, const memory &operand, const memory::desc &desc) {
  memory view(desc, cpuEngine(), nullptr);
  pieces.front().insert({argument, view});
  aliases.emplace_back(operand, view);
}

/// Filters as a matrix: `order` is that of output channels (0), input channels (1) and taps (2) in memory.
static memory::desc describeTaps(const Place &filter, std::array<int, 3> order, memory::data_type type) {
  memory::dims dims{filter.shape[0], filter.shape[1], filter.shape[2] * filter.shape[3]}, strides(3);
  int64_t stride = 1;
  for (int i = 2; i >= 0; --i) {
    strides[order[i]] = stride;
    stride *= dims[order[i]];
  }
  return memory::desc(dims, type, strides);
}

void LibraryRow::Impl::addFilters(int argument, PlaceId filter, std::array<int, 3> order, const memory::desc &matrix,
                                  Packing packing, bool isOutput) {
  const Place &place = program.places[filter];
  memory::desc plain = describeTaps(place, {0, 1, 2}, dataType(place));
  addAlias(argument, addOperand(filter, plain, describeTaps(place, order, matrix.data_type()), packing, isOutput),
           matrix);
}

void LibraryRow::Impl::executePatches() {
  auto *source = static_cast<const uint8_t *>(patches->source.get_data_handle());
  auto *rows = static_cast<uint8_t *>(patches->patches.get_data_handle());
  for (int64_t chunk = 0; chunk < patches->chunks; ++chunk) {
    gatherPatches(patches->geometry, source + chunk * patches->images * patches->geometry.imageBytes(), rows,
                  patches->images, threads);
    for (auto &[whole, part] : patches->parts)
      part.set_data_handle(static_cast<uint8_t *>(whole.get_data_handle()) +
                           chunk * static_cast<int64_t>(part.get_desc().get_size()));
    (chunk > 0 && patches->accumulate ? patches->accumulate : primitive).execute(stream, pieces.front());
  }
}

Status LibraryRow::Impl::buildPatches(const Conv2DRow &row) {
  const Place &input = program.places[row.input], &filter = program.places[row.filter],
              &output = program.places[row.output];
  startPatches(PatchGeometry::ofInput(row.geometry, input, filter, output), row.input);
  memory::desc patchRows = patches->patches.get_desc();
  memory::dim rows = patchRows.dims()[0], depth = patchRows.dims()[1], features = filter.shape[0];
  memory::desc weights({depth, features}, dataType(filter), FormatTag::ba),
      result({rows, features}, dataType(output), FormatTag::ab), bias;
  if (row.bias)
    bias = memory::desc({1, features}, dataType(program.places[*row.bias]), FormatTag::ab);
  dnnl::matmul::primitive_desc descriptor({patchRows, weights, bias, result}, makeAttributes(makePostOps(row, result)),
                                          cpuEngine());
  setPrimitive(descriptor, dnnl::matmul(descriptor));
  pieces.front().insert({DNNL_ARG_SRC, patches->patches});
  addFilters(DNNL_ARG_WEIGHTS, row.filter, {0, 2, 1}, weights, row.constantFilter ? Packing::Once : Packing::EachRun,
             /*isOutput=*/false);
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  if (hasOwnResidual(row))
    addPart(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, *row.residual, result);
  addPart(DNNL_ARG_DST, row.output, result);
  return {};
}

Status LibraryRow::Impl::buildPatches(const Conv2DInputGradientRow &row) {
  const Place &input = program.places[row.inputGradient], &filter = program.places[row.filter],
              &output = program.places[row.outputGradient];
  startPatches(PatchGeometry::ofOutputGradient(row.geometry, input, filter, output), row.outputGradient);
  memory::desc patchRows = patches->patches.get_desc();
  memory::dim rows = patchRows.dims()[0], depth = patchRows.dims()[1], channels = filter.shape[1];
  memory::desc weights({depth, channels}, dataType(filter), FormatTag::ab),
      result({rows, channels}, dataType(input), FormatTag::ab);
  dnnl::matmul::primitive_desc descriptor({patchRows, weights, result}, makeAttributes(), cpuEngine());
  setPrimitive(descriptor, dnnl::matmul(descriptor));
  pieces.front().insert({DNNL_ARG_SRC, patches->patches});
  addFilters(DNNL_ARG_WEIGHTS, row.filter, {2, 0, 1}, weights, Packing::EachRun, /*isOutput=*/false);
  addPart(DNNL_ARG_DST, row.inputGradient, result);
  return {};
}

Status LibraryRow::Impl::buildPatches(const Conv2DFilterGradientRow &row) {
  const Place &input = program.places[row.input], &filter = program.places[row.filterGradient],
              &output = program.places[row.outputGradient];
  startPatches(PatchGeometry::ofInput(row.geometry, input, filter, output), row.input);
  memory::desc patchRows = patches->patches.get_desc();
  memory::dim rows = patchRows.dims()[0], depth = patchRows.dims()[1], features = filter.shape[0];
  // Sums over chunks are f32.
  memory::desc cotangent({features, rows}, dataType(output), FormatTag::ba),
      result({features, depth}, memory::data_type::f32, FormatTag::ab);
  dnnl::post_ops sum;
  sum.append_sum(1);
  dnnl::matmul::primitive_desc first({cotangent, patchRows, result}, makeAttributes(), cpuEngine()),
      later({cotangent, patchRows, result}, makeAttributes(sum), cpuEngine());
  bool needsMore = later.scratchpad_desc().get_size() > first.scratchpad_desc().get_size();
  setPrimitive(needsMore ? later : first, dnnl::matmul(first));
  patches->accumulate = dnnl::matmul(later);
  addPart(DNNL_ARG_SRC, row.outputGradient, cotangent);
  pieces.front().insert({DNNL_ARG_WEIGHTS, patches->patches});
  addFilters(DNNL_ARG_DST, row.filterGradient, {0, 2, 1}, result, Packing::EachRun, /*isOutput=*/true);
  return {};
}

//===----------------------------------------------------------------------===//
// Rows of one primitive
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
  if (isFasterByPatches(program, row.geometry, row.input, row.filter, row.output, maxForwardPixels))
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
  bool isUnitStride = row.geometry.strides == std::array<int64_t, 2>{1, 1};
  if (isUnitStride &&
      isFasterByPatches(program, row.geometry, row.inputGradient, row.filter, row.outputGradient, maxForwardPixels))
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
  if (isFasterByPatches(program, row.geometry, row.input, row.filterGradient, row.outputGradient, maxGradientPixels))
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

//===----------------------------------------------------------------------===//
// LibraryRow
//===----------------------------------------------------------------------===//

LibraryRow::LibraryRow(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
LibraryRow::LibraryRow(LibraryRow &&) = default;
LibraryRow &LibraryRow::operator=(LibraryRow &&) = default;
LibraryRow::~LibraryRow() = default;

size_t LibraryRow::constantBytes() const { return impl->constantBytes; }
size_t LibraryRow::scratchBytes() const { return impl->scratchBytes; }
std::string LibraryRow::implementation() const {
  return impl->patches ? "patches " + impl->implementation : impl->implementation;
}

Expected<LibraryRow> LibraryRow::create(const Row &row, const ProgramTable &program, int threads,
                                        bool isDeterministic) {
  std::unique_ptr<Impl> impl;
  useThreads(threads);
  Status status = guard([&]() -> Status {
    impl = std::make_unique<Impl>(program, threads, isDeterministic);
    return std::visit([&](const auto &operation) { return impl->build(operation); }, row.operation);
  });
  useThreads(threads);
  if (!status.ok())
    return status;
  return LibraryRow(std::move(impl));
}

Status LibraryRow::attach(const std::function<uint8_t *(PlaceId)> &address, uint8_t *constants, uint8_t *scratch) {
  return guard([&]() -> Status {
    for (Impl::Arguments &arguments : impl->pieces) {
      arguments.at(DNNL_ARG_SCRATCHPAD).set_data_handle(scratch);
      scratch += impl->scratchpadBytes;
    }
    for (Impl::Operand &operand : impl->operands) {
      uint8_t *memory = address(operand.place);
      operand.plain.set_data_handle(memory);
      if (operand.packing != Impl::Packing::None) {
        uint8_t *&buffer = operand.packing == Impl::Packing::Once ? constants : scratch;
        memory = buffer;
        operand.packed.set_data_handle(memory);
        buffer += operand.packedBytes(impl->numPieces());
      }
      for (Impl::Arguments &arguments : impl->pieces) {
        if (operand.argument)
          arguments.at(*operand.argument).set_data_handle(memory);
        memory += operand.pieceBytes;
      }
    }
    for (auto &[operand, alias] : impl->aliases)
      alias.set_data_handle(operand.get_data_handle());
    if (impl->patches)
      impl->patches->patches.set_data_handle(scratch);
    return {};
  });
}

Status LibraryRow::packConstants() {
  useThreads(impl->isForOneThread ? 1 : impl->threads);
  Status status = guard([&]() -> Status {
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::Once)
        operand.reorder.execute(impl->stream, operand.reorderArguments);
    impl->stream.wait();
    return {};
  });
  useThreads(impl->threads);
  return status;
}

Status LibraryRow::Impl::runPieces() {
  // A worker must not throw: it leaves what it has to say in the piece's status.
  auto run = [](void *const *places, int64_t begin, int64_t end) {
    Impl &row = *static_cast<Impl *>(*places);
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      row.pieceStatus[i] = guard([&]() -> Status {
        row.primitive.execute(row.stream, row.pieces[i]);
        return {};
      });
  };
  void *places[] = {this};
  parallelFor(run, places, numPieces(), /*grain=*/1, threads);
  for (Status &status : pieceStatus)
    if (!status.ok())
      return std::move(status);
  return {};
}

/// Leaves the sum of what the pieces computed in the first one's part.
void LibraryRow::Impl::addUpPieces(const Operand &operand) {
  struct Sum {
    uint8_t *first;
    size_t pieceBytes;
    int64_t numPieces;
  } sum{static_cast<uint8_t *>(operand.packed.get_data_handle()), operand.pieceBytes, numPieces()};
  auto add = [](void *const *places, int64_t begin, int64_t end) {
    const Sum &sum = *static_cast<const Sum *>(*places);
    auto *to = reinterpret_cast<float *>(sum.first);
    for (int64_t piece = 1; piece < sum.numPieces; ++piece) {
      const auto *from = reinterpret_cast<const float *>(sum.first + static_cast<size_t>(piece) * sum.pieceBytes);
      for (int64_t i = begin; i < end; ++i)
        to[i] += from[i];
    }
  };
  constexpr int64_t grain = 16384;
  void *places[] = {&sum};
  parallelFor(add, places, static_cast<int64_t>(operand.pieceBytes / sizeof(float)), grain, threads);
}

Status LibraryRow::execute() {
  useThreads(impl->isForOneThread ? 1 : impl->threads);
  Status status = guard([&]() -> Status {
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::EachRun && !operand.isOutput)
        operand.reorder.execute(impl->stream, operand.reorderArguments);
    if (impl->patches)
      impl->executePatches();
    else if (impl->numPieces() == 1)
      impl->primitive.execute(impl->stream, impl->pieces.front());
    else if (Status status = impl->runPieces(); !status.ok())
      return status;
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::EachRun && operand.isOutput) {
        if (impl->numPieces() > 1)
          impl->addUpPieces(operand);
        operand.reorder.execute(impl->stream, operand.reorderArguments);
      }
    impl->stream.wait();
    return {};
  });
  useThreads(impl->threads);
  return status;
}
