//===- LibraryRowImpl.h - a row that oneDNN computes, inside ----*- C++ -*-===//
//
// What the files of LibraryRow share. Images stay in the layout of the program; filters go from OIHW to whatever the
// implementation prefers, once if they are constant and before each call otherwise. oneDNN throws: entry points run
// under guard(), so that no exception leaves.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_LIB_CPU_LIBRARYROWIMPL_H
#define ESPALIER_LIB_CPU_LIBRARYROWIMPL_H

#include "LibraryRow.h"

#include "Patches.h"

#include <oneapi/dnnl/dnnl.hpp>

#include <array>
#include <optional>
#include <unordered_map>

namespace espalier::rt {

namespace library {

using dnnl::memory;
using FormatTag = dnnl::memory::format_tag;

const dnnl::engine &cpuEngine();
/// Rounded up to a cache line.
size_t alignedSize(size_t bytes);
/// The largest divisor of `number` that is at most `limit`.
int64_t largestDivisor(int64_t number, int64_t limit);
memory::data_type dataType(const Place &place);
double countElements(const Place &place);
/// InvalidInput unless the place is of that rank, in f32 or bf16.
Status expectOperand(const Place &place, size_t rank, std::string_view what);

dnnl::primitive_attr makeAttributes(const dnnl::post_ops &postOps = {});
void appendClamp(dnnl::post_ops &postOps, const Clamp &clamp);
/// What follows a convolution; `output` describes the output as the primitive sees it.
dnnl::post_ops makePostOps(const Conv2DRow &row, const memory::desc &output);
/// Whether the row adds an operand other than what its output holds already.
bool hasOwnResidual(const Conv2DRow &row);

/// Geometry of a piece in oneDNN's terms, with shapes checked to be what its descriptors assume.
struct ConvDescriptors {
  memory::desc input, output, plainFilter, anyFilter;
  FormatTag imageTag;
  memory::dims strides, dilations, padBegin, padEnd;
};

} // namespace library

struct LibraryRow::Impl {
  using memory = dnnl::memory;
  using ConvDescriptors = library::ConvDescriptors;
  /// Pieces of a deterministic row at most.
  static constexpr int64_t maxPieces = 8;

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
      return pieceBytes ? pieceBytes * static_cast<size_t>(numPieces)
                        : library::alignedSize(packed.get_desc().get_size());
    }
  };

  dnnl::stream stream{library::cpuEngine()};
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
    /// An operand of which each chunk has a part.
    struct Part {
      memory whole, argument;
      int64_t bytes; ///< of the part
    };
    std::vector<Part> parts;
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

  Status build(const DispatchRow &) { return unsupported("a kernel is no library call"); }
  Status build(const Conv2DRow &row);
  Status build(const Conv2DInputGradientRow &row);
  Status build(const Conv2DFilterGradientRow &row);
  Status build(const MatmulRow &row);

  bool isFasterByPatches(const Conv2DRow &row) const;
  bool isFasterByPatches(const Conv2DInputGradientRow &row) const;
  bool isFasterByPatches(const Conv2DFilterGradientRow &row) const;
  Status buildPatches(const Conv2DRow &row);
  Status buildPatches(const Conv2DInputGradientRow &row);
  Status buildPatches(const Conv2DFilterGradientRow &row);
  /// Says what patches are made of: images at this place.
  void startPatches(const PatchGeometry &geometry, PlaceId images);
  /// A chunk's part of the images there, as a matrix with a row for each position.
  memory::desc describeProduct(int64_t features, PlaceId images) const;
  /// The product of the patches and filters, which gives `images`. `order` is that of addFilters().
  void multiplyPatches(PlaceId filter, std::array<int, 3> order, library::FormatTag weightsTag, Packing packing,
                       PlaceId images, const memory::desc &product, const memory::desc &bias,
                       const dnnl::post_ops &postOps);
  void addPart(int argument, PlaceId place, const memory::desc &part);
  void addAlias(int argument, const memory &operand, const memory::desc &desc);
  void addFilters(int argument, PlaceId filter, std::array<int, 3> order, const memory::desc &matrix, Packing packing,
                  bool isOutput);
  void executePatches();

  template <typename Descriptor> void setPrimitive(const Descriptor &descriptor, dnnl::primitive made) {
    primitive = std::move(made);
    implementation = descriptor.impl_info_str();
    scratchpadBytes = library::alignedSize(descriptor.scratchpad_desc().get_size());
    scratchBytes += scratchpadBytes * pieces.size();
    for (Arguments &arguments : pieces)
      arguments.insert({DNNL_ARG_SCRATCHPAD, memory(descriptor.scratchpad_desc(), library::cpuEngine(), nullptr)});
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

} // namespace espalier::rt

#endif // ESPALIER_LIB_CPU_LIBRARYROWIMPL_H
