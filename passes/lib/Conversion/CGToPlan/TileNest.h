//===- TileNest.h - contractions as loops around register tiles -*- C++ -*-===//

#ifndef ESPALIER_LIB_CONVERSION_CGTOPLAN_TILENEST_H
#define ESPALIER_LIB_CONVERSION_CGTOPLAN_TILENEST_H

#include "espalier/Conversion/CGToPlan/Lowering.h"

namespace espalier::cg {

/// One spatial dimension of a convolution: which element of the source a tap reads at a position of what is computed.
struct TapMap {
  int64_t extent = 1, source = 1, taps = 1; ///< positions; elements of the source; taps
  int64_t stride = 1, dilation = 1, pad = 0;
  bool backward = false; ///< the input gradient: positions are those of the convolution's input

  /// Index in the source; nothing where the tap meets padding, or a gap between strides.
  std::optional<int64_t> read(int64_t position, int64_t tap) const;
  bool readsAlways() const;
  /// The same for indices that are not known yet: the index, and whether there is one.
  std::pair<mlir::Value, mlir::Value> read(KernelBuilder &b, mlir::Value position, mlir::Value tap) const;
};

/// Positions of one row that read by the same taps, or by one of their taps. Position `first + i * step` reads, by tap
/// `firstTap + j * tapStep`, the source at `source + i * sourceStep + j * sourceTapStep`.
struct TapClass {
  int64_t first = 0, step = 1, count = 0;
  int64_t firstTap = 0, tapStep = 1, taps = 0;
  int64_t source = 0, sourceStep = 1, sourceTapStep = 1;
};

/// A contraction as nests that end in `out[row, feature] += in[row, tap, channel] * filter[tap, channel, feature]` on
/// strided memory, which becomes register tiles (see plan-vectorize-contractions). Padding is no memory: a nest covers
/// the positions that one tap reads for, or those that read by the same taps. Strides of the features are 1.
class TileNest {
public:
  /// Analyzes a contraction whose operands and result lie in memory like that. Returns nothing, and why, where it
  /// cannot become tiles.
  static std::optional<TileNest> analyze(mlir::Operation *op, llvm::ArrayRef<StridedAccess> operands,
                                         const StridedAccess &result, std::string &why);
  /// The same for memory as tiles want it: nothing where no order of memory lets `op` become tiles.
  static std::optional<TileNest> analyze(mlir::Operation *op, std::string &why);

  /// The order of the dimensions of operand 1, outermost first, in which its features are contiguous.
  static llvm::SmallVector<int64_t> getPackedOrder(mlir::Operation *op);

  int64_t getParallelExtent() const;

  /// Does the result hold narrower numbers than the sums? Then there is memory for the sums of one iteration, and
  /// `finish` must store what the result holds.
  bool needsFinish() const { return !isFilterGradient && stored != element; }

  using Finish = llvm::function_ref<void(mlir::ValueRange position, mlir::Value sum)>;
  /// Emits the iterations [b.begin, b.end). `operands` and `result` have memory. Calls `finish`, if given, for every
  /// element of the result, with its position and complete sum, inside a loop over features.
  void emit(KernelBuilder &b, llvm::ArrayRef<StridedAccess> operands, const StridedAccess &result, Finish finish) const;

private:
  struct ImageStrides {
    int64_t batch = 0, row = 0, column = 0, channel = 0;
  };
  struct FilterStrides {
    int64_t batch = 0, group = 0, row = 0, column = 0, channel = 0, feature = 0;
  };

  bool analyzeMatmul(mlir::Operation *op, llvm::ArrayRef<StridedAccess> operands, const StridedAccess &result,
                     std::string &why);
  void analyzeConvolution(mlir::Operation *op, llvm::ArrayRef<StridedAccess> operands, const StridedAccess &result);
  bool checkStrides(std::string &why) const;
  bool findClasses(std::string &why);
  void chooseBlocks();
  bool fitSumsOnStack(std::string &why);

  void emitSums(KernelBuilder &b, llvm::ArrayRef<StridedAccess> operands, const StridedAccess &result,
                Finish finish) const;
  void emitFilterGradient(KernelBuilder &b, llvm::ArrayRef<StridedAccess> operands, const StridedAccess &result) const;
  /// The position of an element of the result, by dimension.
  llvm::SmallVector<mlir::Value> getPosition(KernelBuilder &b, mlir::Value batch, mlir::Value row, mlir::Value column,
                                             mlir::Value feature) const;

  mlir::Type element; ///< of the sums
  mlir::Type stored;  ///< of the result
  bool isFilterGradient = false;
  bool isDepthwise = false; ///< one channel for each group: channels are features, and nothing is summed over them
  llvm::ArrayRef<int64_t> batchShape; ///< of a product
  bool isMatmul = false;
  int64_t batch = 1, groups = 1, channels = 1, features = 1; ///< channels and features of one group
  int64_t featureBlock = 1;
  int64_t width = 0; ///< of a row before rows were cut anew
  TapMap rows, columns;
  ImageStrides in, out;
  FilterStrides filter;
  std::vector<TapClass> classes; ///< of the columns
};

} // namespace espalier::cg

#endif // ESPALIER_LIB_CONVERSION_CGTOPLAN_TILENEST_H
