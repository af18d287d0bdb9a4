//===- LibraryRow.cpp - a row that oneDNN computes ------------------------===//
//
// Some implementations sum across threads, so that their bits depend on how many there are. A deterministic row is
// instead cut into pieces along the batch, as many as its shapes say, and each piece is one primitive for one thread;
// the filter gradients of the pieces are added up in their order.
//
//===----------------------------------------------------------------------===//

#include "LibraryRowImpl.h"

#include "espalier/Runtime/CPU/Parallel.h"

using namespace espalier::rt;
using namespace espalier::rt::library;

/// A row of fewer operations takes less time on one thread than it takes to wake a team.
static constexpr double minTeamFlops = 8e6;

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

//===----------------------------------------------------------------------===//
// Operands and pieces
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
