//===- Artifact.h - A compiled network, read from .espx bytes ---*- C++ -*-===//
//
// The tables of an artifact. Reading checks everything that running relies on: every index, size and offset.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_PROGRAM_ARTIFACT_H
#define ESPALIER_RUNTIME_PROGRAM_ARTIFACT_H

#include "espalier/Runtime/Core/HostTensor.h"

#include <array>
#include <limits>
#include <variant>

namespace espalier::rt {

/// What an argument is to the caller.
enum class Role : uint8_t { Input, Parameter, State, Slot, Hyper, Packed, Output };

/// As the manifest spells it: "input", "parameter", ...
std::string_view name(Role role);

using PlaceId = uint32_t;

/// Most dimensions that a place has.
inline constexpr size_t maxPlaceRank = 16;

/// Memory that rows read and write: an argument, a part of the arena, or a part of either under another type.
struct Place {
  enum class Kind : uint8_t { Argument, Buffer, View };

  Kind kind = Kind::Buffer;
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< in memory, row-major
  int64_t byteSize = 0;
  int64_t offset = 0; ///< bytes from the start of the arena (buffer) or of `source` (view); a multiple of 64
  /// The place whose memory this one is: a view's source, or the argument that an output is tied to.
  std::optional<PlaceId> source;

  /// \name Arguments only.
  /// @{
  std::string name;
  Role role = Role::Input;
  std::vector<int64_t> logical;     ///< shape that the caller sees
  std::vector<int64_t> permutation; ///< memory dimension -> logical dimension
  /// @}
};

/// One call of the runtime per piece of `[0, extent)`, `grain` iterations each but for the last.
struct Kernel {
  std::string symbol;
  int64_t extent = 1;
  int64_t grain = 1;
};

struct DispatchRow {
  uint32_t kernel = 0;
  std::vector<PlaceId> places;
};

enum class ImageLayout : uint8_t { NCHW, NHWC };

/// Geometry of a 2-D convolution; filters are OIHW.
struct Conv2DGeometry {
  ImageLayout layout = ImageLayout::NHWC;
  std::array<int64_t, 2> strides{1, 1};
  std::array<int64_t, 4> pads{0, 0, 0, 0}; ///< top, left, bottom, right
  std::array<int64_t, 2> dilations{1, 1};
  int64_t groups = 1;
};

/// Bounds of a fused clamp, in f32; infinite when absent.
struct Clamp {
  float min = -std::numeric_limits<float>::infinity();
  float max = std::numeric_limits<float>::infinity();
};

/// output = clamp(conv(input, filter) + bias + residual)
struct Conv2DRow {
  Conv2DGeometry geometry;
  PlaceId input = 0, filter = 0, output = 0;
  std::optional<PlaceId> bias, residual;
  Clamp clamp;
  bool constantFilter = false;
};

struct Conv2DInputGradientRow {
  Conv2DGeometry geometry;
  PlaceId outputGradient = 0, filter = 0, inputGradient = 0;
};

struct Conv2DFilterGradientRow {
  Conv2DGeometry geometry;
  PlaceId input = 0, outputGradient = 0, filterGradient = 0;
};

/// output = clamp(op(lhs) * op(rhs) + bias)
struct MatmulRow {
  PlaceId lhs = 0, rhs = 0, output = 0;
  std::optional<PlaceId> bias;
  bool transposeLhs = false, transposeRhs = false, constantRhs = false;
  Clamp clamp;
};

struct Row {
  std::variant<DispatchRow, Conv2DRow, Conv2DInputGradientRow, Conv2DFilterGradientRow, MatmulRow> operation;
  std::string location; ///< "file:line:col" in the architecture file, or empty
  std::string scope;    ///< block of the architecture, or empty
  /// Of a convolution or matrix product: which of several ways runs it, and why; else empty.
  std::string candidate, reason;

  bool isLibraryCall() const { return !std::holds_alternative<DispatchRow>(operation); }
};

/// "dispatch", "conv2d", ...
std::string_view operationName(const Row &row);

/// Every place that a row reads or writes.
std::vector<PlaceId> placesOf(const Row &row);

/// A dispatch table.
struct ProgramTable {
  std::string name;
  int64_t arenaBytes = 0;
  std::vector<Place> places; ///< a place comes after its source
  std::vector<Row> rows;     ///< in execution order
};

struct Artifact {
  std::string cpu;
  std::vector<std::string> extensions; ///< instruction set extensions that the code uses
  std::vector<Kernel> kernels;
  std::vector<ProgramTable> programs;
  std::string metadata; ///< JSON text of an object, as the compiler was given it
  std::vector<uint8_t> sharedObject;

  /// Reads the bytes of an artifact, whose layout is described in espalier/CodeGen/Artifact.h.
  static Expected<Artifact> parse(Span<const uint8_t> bytes);

  /// The program of a name; the failure lists the names that exist.
  Expected<const ProgramTable *> findProgram(std::string_view name) const;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_PROGRAM_ARTIFACT_H
