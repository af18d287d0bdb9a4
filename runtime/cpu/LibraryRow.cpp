//===- LibraryRow.cpp - A row that oneDNN computes ------------------------===//
//
// Images stay in the layout of the program; filters go from OIHW to whatever the implementation prefers, once if they
// are constant and before each call otherwise. oneDNN caches primitives by descriptor itself, so that equal rows share
// one. It throws; no exception leaves this file.
//
//===----------------------------------------------------------------------===//

#include "LibraryRow.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <cmath>
#include <unordered_map>

using namespace espalier::rt;
using dnnl::memory;
using FormatTag = dnnl::memory::format_tag;

static constexpr size_t alignment = 64;
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

struct LibraryRow::Impl {
  enum class Packing : uint8_t { None, EachRun, Once };

  /// A place and what the primitive wants in its stead.
  struct Operand {
    PlaceId place = 0;
    Packing packing = Packing::None;
    bool isOutput = false;
    memory plain;  ///< at the place
    memory packed; ///< in constants or scratch; the same as `plain` without packing
    std::unordered_map<int, memory> reorderArguments;
    dnnl::reorder reorder;
  };

  dnnl::stream stream{cpuEngine()};
  dnnl::primitive primitive;
  std::string implementation;
  std::vector<Operand> operands;
  memory scratchpad;
  std::unordered_map<int, memory> arguments;
  size_t constantBytes = 0, scratchBytes = 0;

  const ProgramTable &program;
  explicit Impl(const ProgramTable &program) : program(program) {}

  Status build(const Row &row);
  Status build(const DispatchRow &) { return unsupported("a kernel is no library call"); }
  Status build(const Conv2DRow &row);
  Status build(const Conv2DInputGradientRow &row);
  Status build(const Conv2DFilterGradientRow &row);
  Status build(const MatmulRow &row);

  template <typename Descriptor> void setPrimitive(const Descriptor &descriptor, dnnl::primitive made) {
    primitive = std::move(made);
    implementation = descriptor.impl_info_str();
    scratchpad = memory(descriptor.scratchpad_desc(), cpuEngine(), nullptr);
    scratchBytes += alignedSize(descriptor.scratchpad_desc().get_size());
    arguments.insert({DNNL_ARG_SCRATCHPAD, scratchpad});
  }
  void addOperand(int argument, PlaceId place, const memory::desc &plain) {
    addOperand(argument, place, plain, plain, Packing::None, /*isOutput=*/false);
  }
  /// An operand that the primitive wants as `wanted`.
  void addOperand(int argument, PlaceId place, const memory::desc &plain, const memory::desc &wanted, Packing packing,
                  bool isOutput);
};

//===----------------------------------------------------------------------===//
// Descriptors
//===----------------------------------------------------------------------===//

namespace {

/// Geometry in oneDNN's terms, with shapes checked to be what its descriptors assume.
struct ConvDescriptors {
  memory::desc input, output, plainFilter, anyFilter;
  memory::dims strides, dilations, padBegin, padEnd;

  static Expected<ConvDescriptors> get(const ProgramTable &program, const Conv2DGeometry &geometry, PlaceId input,
                                       PlaceId filter, PlaceId output);
};

} // namespace

static Status expectF32(const Place &place, size_t rank, std::string_view what) {
  if (place.dtype == DType::F32 && place.shape.size() == rank)
    return {};
  return invalidInput("{} is {}, expected f32 of rank {}", what, formatType(place.dtype, place.shape), rank);
}

/// An image: dimensions are always N, C, H, W to oneDNN, the tag says how they lie in memory.
static memory::desc describeImage(const Place &place, ImageLayout layout) {
  memory::dims dims = place.shape;
  if (layout == ImageLayout::NHWC)
    dims = {place.shape[0], place.shape[3], place.shape[1], place.shape[2]};
  return memory::desc(dims, memory::data_type::f32, layout == ImageLayout::NHWC ? FormatTag::nhwc : FormatTag::nchw);
}

Expected<ConvDescriptors> ConvDescriptors::get(const ProgramTable &program, const Conv2DGeometry &geometry,
                                               PlaceId inputId, PlaceId filterId, PlaceId outputId) {
  const Place &input = program.places[inputId], &filter = program.places[filterId], &output = program.places[outputId];
  for (auto [place, what] : {std::pair(&input, "input"), std::pair(&filter, "filter"), std::pair(&output, "output")})
    if (Status status = expectF32(*place, 4, what); !status.ok())
      return status;
  if (filter.shape[0] % geometry.groups != 0)
    return invalidInput("{} groups do not divide {} output channels", geometry.groups, filter.shape[0]);

  ConvDescriptors result;
  result.input = describeImage(input, geometry.layout);
  result.output = describeImage(output, geometry.layout);
  memory::dims dims = filter.shape;
  if (geometry.groups > 1)
    dims = {geometry.groups, filter.shape[0] / geometry.groups, filter.shape[1], filter.shape[2], filter.shape[3]};
  result.plainFilter =
      memory::desc(dims, memory::data_type::f32, geometry.groups > 1 ? FormatTag::goihw : FormatTag::oihw);
  result.anyFilter = memory::desc(dims, memory::data_type::f32, FormatTag::any);
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

void LibraryRow::Impl::addOperand(int argument, PlaceId place, const memory::desc &plain, const memory::desc &wanted,
                                  Packing packing, bool isOutput) {
  Operand operand;
  operand.place = place;
  operand.isOutput = isOutput;
  operand.plain = memory(plain, cpuEngine(), nullptr);
  if (wanted == plain) {
    operand.packed = operand.plain;
  } else {
    operand.packing = packing;
    operand.packed = memory(wanted, cpuEngine(), nullptr);
    memory &from = isOutput ? operand.packed : operand.plain, &to = isOutput ? operand.plain : operand.packed;
    operand.reorder = dnnl::reorder(from, to);
    operand.reorderArguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    (packing == Packing::Once ? constantBytes : scratchBytes) += alignedSize(wanted.get_size());
  }
  arguments.insert({argument, operand.packed});
  operands.push_back(std::move(operand));
}

Status LibraryRow::Impl::build(const Conv2DRow &row) {
  auto conv = ConvDescriptors::get(program, row.geometry, row.input, row.filter, row.output);
  if (!conv)
    return conv.takeStatus();
  if (row.residual && program.places[*row.residual].shape != program.places[row.output].shape)
    return invalidInput("residual and output have different shapes");

  dnnl::post_ops postOps;
  bool isAccumulating = row.residual == row.output;
  if (row.residual && isAccumulating)
    postOps.append_sum(1);
  else if (row.residual)
    postOps.append_binary(dnnl::algorithm::binary_add, conv->output);
  appendClamp(postOps, row.clamp);

  memory::desc bias;
  if (row.bias)
    bias = memory::desc({program.places[row.filter].shape[0]}, memory::data_type::f32, FormatTag::a);
  if (row.bias && program.places[*row.bias].byteSize != static_cast<int64_t>(bias.get_size()))
    return invalidInput("bias has {} bytes, expected {}", program.places[*row.bias].byteSize, bias.get_size());

  dnnl::convolution_forward::primitive_desc descriptor(
      {dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, conv->input, conv->anyFilter, bias,
       conv->output, conv->strides, conv->dilations, conv->padBegin, conv->padEnd},
      makeAttributes(postOps), cpuEngine());
  setPrimitive(descriptor, dnnl::convolution_forward(descriptor));
  addOperand(DNNL_ARG_SRC, row.input, conv->input);
  addOperand(DNNL_ARG_WEIGHTS, row.filter, conv->plainFilter, descriptor.weights_desc(),
             row.constantFilter ? Packing::Once : Packing::EachRun, /*isOutput=*/false);
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  if (row.residual && !isAccumulating)
    addOperand(DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, *row.residual, conv->output);
  addOperand(DNNL_ARG_DST, row.output, conv->output);
  return {};
}

/// The forward convolution that a backward one asks for as a hint.
static dnnl::convolution_forward::primitive_desc describeForward(const ConvDescriptors &conv) {
  return {{dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, conv.input, conv.anyFilter,
           conv.output, conv.strides, conv.dilations, conv.padBegin, conv.padEnd},
          cpuEngine()};
}

Status LibraryRow::Impl::build(const Conv2DInputGradientRow &row) {
  auto conv = ConvDescriptors::get(program, row.geometry, row.inputGradient, row.filter, row.outputGradient);
  if (!conv)
    return conv.takeStatus();
  dnnl::convolution_backward_data::primitive_desc descriptor({dnnl::algorithm::convolution_direct, conv->input,
                                                              conv->anyFilter, conv->output, conv->strides,
                                                              conv->dilations, conv->padBegin, conv->padEnd},
                                                             makeAttributes(), cpuEngine(), describeForward(*conv));
  setPrimitive(descriptor, dnnl::convolution_backward_data(descriptor));
  addOperand(DNNL_ARG_DIFF_DST, row.outputGradient, conv->output);
  addOperand(DNNL_ARG_WEIGHTS, row.filter, conv->plainFilter, descriptor.weights_desc(), Packing::EachRun,
             /*isOutput=*/false);
  addOperand(DNNL_ARG_DIFF_SRC, row.inputGradient, conv->input);
  return {};
}

Status LibraryRow::Impl::build(const Conv2DFilterGradientRow &row) {
  auto conv = ConvDescriptors::get(program, row.geometry, row.input, row.filterGradient, row.outputGradient);
  if (!conv)
    return conv.takeStatus();
  dnnl::convolution_backward_weights::primitive_desc descriptor({dnnl::algorithm::convolution_direct, conv->input,
                                                                 conv->anyFilter, conv->output, conv->strides,
                                                                 conv->dilations, conv->padBegin, conv->padEnd},
                                                                makeAttributes(), cpuEngine(), describeForward(*conv));
  setPrimitive(descriptor, dnnl::convolution_backward_weights(descriptor));
  addOperand(DNNL_ARG_SRC, row.input, conv->input);
  addOperand(DNNL_ARG_DIFF_DST, row.outputGradient, conv->output);
  addOperand(DNNL_ARG_DIFF_WEIGHTS, row.filterGradient, conv->plainFilter, descriptor.diff_weights_desc(),
             Packing::EachRun, /*isOutput=*/true);
  return {};
}

Status LibraryRow::Impl::build(const MatmulRow &row) {
  const Place &lhs = program.places[row.lhs], &rhs = program.places[row.rhs], &output = program.places[row.output];
  size_t rank = output.shape.size();
  if (rank != 2 && rank != 3)
    return invalidInput("output is {}, expected f32 of rank 2 or 3", formatType(output.dtype, output.shape));
  for (auto [place, what] : {std::pair(&lhs, "lhs"), std::pair(&rhs, "rhs"), std::pair(&output, "output")})
    if (Status status = expectF32(*place, rank, what); !status.ok())
      return status;

  auto describe = [rank](const Place &place, bool transpose, bool any = false) {
    memory::dims dims = place.shape;
    if (transpose)
      std::swap(dims[rank - 1], dims[rank - 2]);
    FormatTag tag =
        rank == 2 ? (transpose ? FormatTag::ba : FormatTag::ab) : (transpose ? FormatTag::acb : FormatTag::abc);
    return memory::desc(dims, memory::data_type::f32, any ? FormatTag::any : tag);
  };
  memory::desc lhsPlain = describe(lhs, row.transposeLhs), rhsPlain = describe(rhs, row.transposeRhs);
  memory::desc outputPlain = describe(output, false);
  // Packing a matrix for one product costs more than it saves.
  memory::desc rhsWanted = describe(rhs, row.transposeRhs, /*any=*/row.constantRhs);
  memory::desc bias;
  if (row.bias) {
    int64_t columns = output.shape[rank - 1];
    bias = rank == 2 ? memory::desc({1, columns}, memory::data_type::f32, FormatTag::ab)
                     : memory::desc({1, 1, columns}, memory::data_type::f32, FormatTag::abc);
    if (program.places[*row.bias].byteSize != static_cast<int64_t>(bias.get_size()))
      return invalidInput("bias has {} bytes, expected {}", program.places[*row.bias].byteSize, bias.get_size());
  }
  dnnl::post_ops postOps;
  appendClamp(postOps, row.clamp);
  dnnl::matmul::primitive_desc descriptor({lhsPlain, rhsWanted, bias, outputPlain}, makeAttributes(postOps),
                                          cpuEngine());
  setPrimitive(descriptor, dnnl::matmul(descriptor));
  addOperand(DNNL_ARG_SRC, row.lhs, lhsPlain);
  addOperand(DNNL_ARG_WEIGHTS, row.rhs, rhsPlain, descriptor.weights_desc(), Packing::Once, /*isOutput=*/false);
  if (row.bias)
    addOperand(DNNL_ARG_BIAS, *row.bias, bias);
  addOperand(DNNL_ARG_DST, row.output, outputPlain);
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
std::string LibraryRow::implementation() const { return impl->implementation; }

Expected<LibraryRow> LibraryRow::create(const Row &row, const ProgramTable &program) {
  std::unique_ptr<Impl> impl;
  Status status = guard([&]() -> Status {
    impl = std::make_unique<Impl>(program);
    return std::visit([&](const auto &operation) { return impl->build(operation); }, row.operation);
  });
  if (!status.ok())
    return status;
  return LibraryRow(std::move(impl));
}

Status LibraryRow::attach(const std::function<uint8_t *(PlaceId)> &address, uint8_t *constants, uint8_t *scratch) {
  return guard([&]() -> Status {
    impl->scratchpad.set_data_handle(scratch);
    scratch += alignedSize(impl->scratchpad.get_desc().get_size());
    for (Impl::Operand &operand : impl->operands) {
      operand.plain.set_data_handle(address(operand.place));
      if (operand.packing == Impl::Packing::None)
        continue;
      uint8_t *&buffer = operand.packing == Impl::Packing::Once ? constants : scratch;
      operand.packed.set_data_handle(buffer);
      buffer += alignedSize(operand.packed.get_desc().get_size());
    }
    return {};
  });
}

Status LibraryRow::packConstants() {
  return guard([&]() -> Status {
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::Once)
        operand.reorder.execute(impl->stream, operand.reorderArguments);
    impl->stream.wait();
    return {};
  });
}

Status LibraryRow::execute() {
  return guard([&]() -> Status {
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::EachRun && !operand.isOutput)
        operand.reorder.execute(impl->stream, operand.reorderArguments);
    impl->primitive.execute(impl->stream, impl->arguments);
    for (Impl::Operand &operand : impl->operands)
      if (operand.packing == Impl::Packing::EachRun && operand.isOutput)
        operand.reorder.execute(impl->stream, operand.reorderArguments);
    impl->stream.wait();
    return {};
  });
}
