//===- LibraryPatches.cpp - convolutions as products of patches -----------===//
//
// Convolutions of oneDNN go image by image and read all filters for each. Where an image has a few pixels and the
// filters are larger than a cache, a product of patches of many images is up to thirty times as fast.
//
//===----------------------------------------------------------------------===//

#include "LibraryRowImpl.h"

#include "espalier/Runtime/CPU/Parallel.h"

using namespace espalier::rt;
using namespace espalier::rt::library;

/// Pixels of one image up to which patches are faster than a convolution (measured on Sapphire Rapids, in bf16), bytes
/// of filters below which these stay in a cache anyway, and rows of one product, whose operands do then.
static constexpr int64_t maxForwardPixels = 16, maxGradientPixels = 64, minFilterBytes = 1 << 20, rowsOfProduct = 512;

static bool isFaster(const ProgramTable &program, const Conv2DGeometry &geometry, PlaceId inputId, PlaceId filterId,
                     PlaceId outputId, int64_t maxPixels) {
  const Place &input = program.places[inputId], &filter = program.places[filterId], &output = program.places[outputId];
  if (geometry.layout != ImageLayout::NHWC || geometry.groups != 1 || input.dtype != DType::BF16 ||
      output.dtype != DType::BF16 || input.shape.size() != 4 || output.shape.size() != 4 || filter.shape.size() != 4)
    return false;
  // What does not fit together, or is empty, is for the library to refuse.
  bool isEmpty = countElements(input) == 0 || countElements(output) == 0;
  if (isEmpty || (filter.dtype != DType::BF16 && filter.dtype != DType::F32) || input.shape[0] != output.shape[0] ||
      input.shape[3] != filter.shape[1] || output.shape[3] != filter.shape[0])
    return false;
  return filter.shape[2] * filter.shape[3] > 1 && input.shape[0] > 1 &&
         2 * countElements(filter) >= static_cast<double>(minFilterBytes) &&
         output.shape[1] * output.shape[2] <= maxPixels;
}

bool LibraryRow::Impl::isFasterByPatches(const Conv2DRow &row) const {
  return isFaster(program, row.geometry, row.input, row.filter, row.output, maxForwardPixels);
}

bool LibraryRow::Impl::isFasterByPatches(const Conv2DInputGradientRow &row) const {
  return row.geometry.strides == std::array<int64_t, 2>{1, 1} &&
         isFaster(program, row.geometry, row.inputGradient, row.filter, row.outputGradient, maxForwardPixels);
}

bool LibraryRow::Impl::isFasterByPatches(const Conv2DFilterGradientRow &row) const {
  return isFaster(program, row.geometry, row.input, row.filterGradient, row.outputGradient, maxGradientPixels);
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
  patches->parts.push_back({addOperand(place, whole, whole, Packing::None, /*isOutput=*/false), view,
                            static_cast<int64_t>(part.get_size())});
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
    for (Patches::Part &part : patches->parts)
      part.argument.set_data_handle(static_cast<uint8_t *>(part.whole.get_data_handle()) + chunk * part.bytes);
    (chunk > 0 && patches->accumulate ? patches->accumulate : primitive).execute(stream, pieces.front());
  }
}

memory::desc LibraryRow::Impl::describeProduct(int64_t features, PlaceId images) const {
  return memory::desc({patches->patches.get_desc().dims()[0], features}, dataType(program.places[images]),
                      FormatTag::ab);
}

void LibraryRow::Impl::multiplyPatches(PlaceId filter, std::array<int, 3> order, FormatTag weightsTag, Packing packing,
                                       PlaceId images, const memory::desc &product, const memory::desc &bias,
                                       const dnnl::post_ops &postOps) {
  memory::desc rows = patches->patches.get_desc();
  memory::desc weights({rows.dims()[1], product.dims()[1]}, dataType(program.places[filter]), weightsTag);
  dnnl::matmul::primitive_desc descriptor({rows, weights, bias, product}, makeAttributes(postOps), cpuEngine());
  setPrimitive(descriptor, dnnl::matmul(descriptor));
  pieces.front().insert({DNNL_ARG_SRC, patches->patches});
  addFilters(DNNL_ARG_WEIGHTS, filter, order, weights, packing, /*isOutput=*/false);
  addPart(DNNL_ARG_DST, images, product);
}

Status LibraryRow::Impl::buildPatches(const Conv2DRow &row) {
  const Place &filter = program.places[row.filter];
  startPatches(PatchGeometry::ofInput(row.geometry, program.places[row.input], filter, program.places[row.output]),
               row.input);
  memory::desc product = describeProduct(filter.shape[0], row.output), bias;
  if (row.bias)
    bias = memory::desc({1, filter.shape[0]}, dataType(program.places[*row.bias]), FormatTag::ab);
  multiplyPatches(row.filter, {0, 2, 1}, FormatTag::ba, row.constantFilter ? Packing::Once : Packing::EachRun,
                  row.output, product, bias, makePostOps(row, product));
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  if (hasOwnResidual(row))
    addPart(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, *row.residual, product);
  return {};
}

Status LibraryRow::Impl::buildPatches(const Conv2DInputGradientRow &row) {
  const Place &filter = program.places[row.filter];
  startPatches(PatchGeometry::ofOutputGradient(row.geometry, program.places[row.inputGradient], filter,
                                               program.places[row.outputGradient]),
               row.outputGradient);
  multiplyPatches(row.filter, {2, 0, 1}, FormatTag::ab, Packing::EachRun, row.inputGradient,
                  describeProduct(filter.shape[1], row.inputGradient), /*bias=*/{}, /*postOps=*/{});
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
