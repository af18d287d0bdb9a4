//===- Program.h - Run a dispatch table on the CPU --------------*- C++ -*-===//
//
//   auto executable = Executable::load(bytes);
//   auto program = Program::create(*executable, "forward");
//   program->write(*program->findInput("x"), image);
//   program->run();
//   auto logits = program->read(*program->findOutput("y"));
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_PROGRAM_PROGRAM_H
#define ESPALIER_RUNTIME_PROGRAM_PROGRAM_H

#include "espalier/Runtime/Program/Executable.h"

#include <functional>

namespace espalier::rt {

/// A program with its memory: arguments, arena, packed constants. The first run (or prepare) allocates, later ones do
/// not. One thread at a time may use a Program; different Programs of one Executable are independent.
class Program {
public:
  /// Program `name` of an executable, on `threads` threads (0: all processors).
  static Expected<Program> create(std::shared_ptr<const Executable> executable, std::string_view name, int threads = 0);
  Program(Program &&);
  Program &operator=(Program &&);
  ~Program();

  const ProgramTable &table() const;
  const Executable &executable() const;

  /// \name Arguments by name: those that are not outputs, and outputs. A name may be both (an updated parameter).
  /// @{
  std::optional<PlaceId> findInput(std::string_view name) const;
  std::optional<PlaceId> findOutput(std::string_view name) const;
  /// @}

  /// Makes the program use `memory`, which stays the caller's, for an argument and all that are tied to it. The bytes
  /// are in the argument's physical layout; their number and the alignment of an element are checked. Memory that the
  /// program writes must not overlap that of another argument, which run() checks.
  Status bind(PlaceId argument, Span<uint8_t> memory);

  /// Binds every argument that has no memory yet to the memory of `other`'s argument of the same name and type, output
  /// or not: the packed weights of `prepare`, the parameters of a training step in an evaluation. `other` must outlive
  /// this.
  Status bindFrom(Program &other);

  /// Copies a tensor of the argument's logical shape into its memory, which the program allocates if none is bound.
  Status write(PlaceId argument, const HostTensor &value);

  /// The value of an argument in its logical shape.
  Expected<HostTensor> read(PlaceId argument) const;

  /// Memory of an argument, in its physical layout; empty if it has none yet.
  Span<uint8_t> memory(PlaceId argument);

  /// Must be called after memory bound as a constant operand (weights of an inference program) changed in place.
  /// `bind` and `write` imply it.
  void constantsChanged();

  /// Number of threads of later runs (0: all processors). The next run prepares again.
  void setThreads(int threads);
  int threads() const;

  /// Whether later runs compute the same bits for any number of threads, at some cost: without, that holds for what the
  /// compiler generates, but not for library calls. The next run prepares again.
  void setDeterministic(bool isDeterministic);

  /// Everything that run() would do only once: memory for outputs, choice of library implementations, packing of
  /// constants. A usage error names the first input that has no memory.
  Status prepare();

  /// Executes all rows in order; calls `beforeRow`, if it is there, before each of them.
  Status run(const std::function<void(size_t row)> &beforeRow = nullptr);

  /// Executes rows in order up to the first one that leaves an infinity or a NaN in a floating-point place, and returns
  /// its index; nothing if all values stay finite. For diagnosis: it reads all memory after each row.
  Expected<std::optional<size_t>> runToNonFinite();

  /// Bytes of arena, packed constants and scratch.
  int64_t memoryBytes() const;

  /// What computes a row: the kernel's symbol, or the library's name of its implementation (after prepare()).
  std::string describeRow(size_t row) const;

private:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_PROGRAM_PROGRAM_H
