//===- Program.cpp - Run a dispatch table on the CPU ----------------------===//

#include "espalier/Runtime/Program/Program.h"

#include "AlignedBuffer.h"
#include "LibraryRow.h"
#include "Relayout.h"
#include "espalier/Runtime/Core/Finite.h"
#include "espalier/Runtime/Core/Text.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

using namespace espalier::rt;

struct Program::Impl {
  std::shared_ptr<const Executable> executable;
  const ProgramTable &table;
  int threads;
  bool isDeterministic = false;

  std::unordered_map<std::string_view, PlaceId> inputs, outputs;
  std::vector<uint8_t *> addresses;       ///< of every place; null for arguments without memory
  std::vector<AlignedBuffer> ownedMemory; ///< of arguments, by place; empty where the caller owns it
  AlignedBuffer arena, constants, scratch;
  std::vector<void *> kernelPlaces;                   ///< pointers of all dispatch rows, one after the other
  std::vector<size_t> kernelPlacesBegin;              ///< where a row's pointers start
  std::vector<std::optional<LibraryRow>> libraryRows; ///< by row

  bool hasLibraryRows = false; ///< implementations are chosen
  bool isResolved = false;     ///< addresses have reached the rows
  bool isPacked = false;       ///< constants are packed

  Impl(std::shared_ptr<const Executable> executable, const ProgramTable &table)
      : executable(std::move(executable)), table(table) {}

  bool isArgument(PlaceId place) const {
    return place < table.places.size() && table.places[place].kind == Place::Kind::Argument;
  }
  /// The argument whose memory an argument uses.
  PlaceId root(PlaceId argument) const { return table.places[argument].source.value_or(argument); }

  Status setMemory(PlaceId argument, uint8_t *memory);
  Status allocate(PlaceId argument);
  Status allocateOutputs();
  Status checkOverlaps() const;
  Status checkConstants(const Row &row) const;
  Status chooseLibraryRows();
  Status resolve();
  Status packConstants();
  Status execute(size_t row);
  std::string describe(size_t row) const;
};

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Status Program::Impl::setMemory(PlaceId argument, uint8_t *memory) {
  addresses[root(argument)] = memory;
  isResolved = isPacked = false;
  return {};
}

Status Program::Impl::allocate(PlaceId argument) {
  argument = root(argument);
  if (addresses[argument])
    return {};
  Expected<AlignedBuffer> buffer = AlignedBuffer::create(static_cast<size_t>(table.places[argument].byteSize));
  if (!buffer)
    return buffer.takeStatus().in(fmt::format("argument {}", quote(table.places[argument].name)));
  ownedMemory[argument] = std::move(*buffer);
  return setMemory(argument, ownedMemory[argument].data());
}

Status Program::Impl::allocateOutputs() {
  for (PlaceId place = 0; place < table.places.size(); ++place) {
    if (!isArgument(place) || addresses[root(place)])
      continue;
    const Place &argument = table.places[root(place)];
    if (argument.role != Role::Output)
      return usageError("{} {} of program {} has no value", name(argument.role), quote(argument.name),
                        quote(table.name));
    if (Status status = allocate(place); !status.ok())
      return status;
  }
  return {};
}

/// Kernels are compiled on the assumption that arguments do not overlap, unless both are only read.
Status Program::Impl::checkOverlaps() const {
  std::vector<bool> isWritten(table.places.size());
  for (PlaceId place = 0; place < table.places.size(); ++place)
    if (isArgument(place) && table.places[place].role == Role::Output)
      isWritten[root(place)] = true;
  std::vector<PlaceId> roots;
  for (PlaceId place = 0; place < table.places.size(); ++place)
    if (isArgument(place) && root(place) == place && table.places[place].byteSize != 0)
      roots.push_back(place);
  std::sort(roots.begin(), roots.end(), [&](PlaceId a, PlaceId b) { return addresses[a] < addresses[b]; });

  // The ranges seen so far that reach furthest, of all and of those that are written.
  std::optional<PlaceId> last, lastWritten;
  auto end = [&](PlaceId place) { return addresses[place] + table.places[place].byteSize; };
  for (PlaceId place : roots) {
    std::optional<PlaceId> other = isWritten[place] ? last : lastWritten;
    if (other && end(*other) > addresses[place])
      return usageError("arguments {} and {} share memory that the program writes", quote(table.places[*other].name),
                        quote(table.places[place].name));
    if (!last || end(place) > end(*last))
      last = place;
    if (isWritten[place] && (!lastWritten || end(place) > end(*lastWritten)))
      lastWritten = place;
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Preparation
//===----------------------------------------------------------------------===//

std::string Program::Impl::describe(size_t row) const {
  std::string_view location = table.rows[row].location;
  return fmt::format("row {} ({}{}{})", row, operationName(table.rows[row]), location.empty() ? "" : " at ", location);
}

/// Constants are packed before the first row runs: they must not be computed by rows.
Status Program::Impl::checkConstants(const Row &row) const {
  std::optional<PlaceId> constant;
  if (const auto *conv = std::get_if<Conv2DRow>(&row.operation); conv && conv->constantFilter)
    constant = conv->filter;
  else if (const auto *matmul = std::get_if<MatmulRow>(&row.operation); matmul && matmul->constantRhs)
    constant = matmul->rhs;
  if (!constant)
    return {};
  while (table.places[*constant].kind == Place::Kind::View)
    constant = *table.places[*constant].source;
  if (!isArgument(*constant) || table.places[*constant].role == Role::Output)
    return invalidInput("constant operand is no input of the program");
  return {};
}

Status Program::Impl::chooseLibraryRows() {
  size_t constantBytes = 0, scratchBytes = 0;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (!table.rows[i].isLibraryCall())
      continue;
    if (Status status = checkConstants(table.rows[i]); !status.ok())
      return std::move(status).in(describe(i));
    Expected<LibraryRow> row = LibraryRow::create(table.rows[i], table, threads, isDeterministic);
    if (!row)
      return row.takeStatus().in(describe(i));
    constantBytes += row->constantBytes();
    scratchBytes = std::max(scratchBytes, row->scratchBytes());
    libraryRows[i] = std::move(*row);
  }
  for (auto [buffer, bytes] : {std::pair(&constants, constantBytes), std::pair(&scratch, scratchBytes)}) {
    Expected<AlignedBuffer> made = AlignedBuffer::create(bytes);
    if (!made)
      return made.takeStatus();
    *buffer = std::move(*made);
  }
  hasLibraryRows = true;
  isResolved = isPacked = false;
  return {};
}

Status Program::Impl::resolve() {
  if (Status status = checkOverlaps(); !status.ok())
    return status;
  for (PlaceId id = 0; id < table.places.size(); ++id) {
    const Place &place = table.places[id];
    if (place.kind == Place::Kind::Buffer)
      addresses[id] = arena.data() + place.offset;
    else if (place.source)
      addresses[id] = addresses[*place.source] + place.offset;
  }
  uint8_t *rowConstants = constants.data();
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (const auto *dispatch = std::get_if<DispatchRow>(&table.rows[i].operation)) {
      void **places = kernelPlaces.data() + kernelPlacesBegin[i];
      for (PlaceId place : dispatch->places)
        *places++ = addresses[place];
      continue;
    }
    Status status =
        libraryRows[i]->attach([this](PlaceId place) { return addresses[place]; }, rowConstants, scratch.data());
    if (!status.ok())
      return std::move(status).in(describe(i));
    rowConstants += libraryRows[i]->constantBytes();
  }
  isResolved = true;
  return {};
}

Status Program::Impl::packConstants() {
  for (size_t i = 0; i < table.rows.size(); ++i)
    if (libraryRows[i])
      if (Status status = libraryRows[i]->packConstants(); !status.ok())
        return std::move(status).in(describe(i));
  isPacked = true;
  return {};
}

//===----------------------------------------------------------------------===//
// Program
//===----------------------------------------------------------------------===//

Program::Program(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Program::Program(Program &&) = default;
Program &Program::operator=(Program &&) = default;
Program::~Program() = default;

Expected<Program> Program::create(std::shared_ptr<const Executable> executable, std::string_view name, int threads) {
  Expected<const ProgramTable *> table = executable->artifact().findProgram(name);
  if (!table)
    return table.takeStatus();
  auto impl = std::make_unique<Impl>(std::move(executable), **table);
  const ProgramTable &program = impl->table;
  for (PlaceId place = 0; place < program.places.size(); ++place) {
    if (!impl->isArgument(place))
      continue;
    auto &names = program.places[place].role == Role::Output ? impl->outputs : impl->inputs;
    if (!names.emplace(program.places[place].name, place).second)
      return invalidInput("program {} has two arguments {}", quote(program.name), quote(program.places[place].name));
  }
  Expected<AlignedBuffer> arena = AlignedBuffer::create(static_cast<size_t>(program.arenaBytes));
  if (!arena)
    return arena.takeStatus().in(fmt::format("arena of program {}", quote(program.name)));
  impl->arena = std::move(*arena);
  impl->addresses.resize(program.places.size());
  impl->ownedMemory.resize(program.places.size());
  impl->libraryRows.resize(program.rows.size());
  for (const Row &row : program.rows) {
    impl->kernelPlacesBegin.push_back(impl->kernelPlaces.size());
    if (const auto *dispatch = std::get_if<DispatchRow>(&row.operation))
      impl->kernelPlaces.resize(impl->kernelPlaces.size() + dispatch->places.size());
  }
  Program result(std::move(impl));
  result.setThreads(threads);
  return result;
}

const ProgramTable &Program::table() const { return impl->table; }
const Executable &Program::executable() const { return *impl->executable; }

static std::optional<PlaceId> find(const std::unordered_map<std::string_view, PlaceId> &names, std::string_view name) {
  auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}
std::optional<PlaceId> Program::findInput(std::string_view name) const { return find(impl->inputs, name); }
std::optional<PlaceId> Program::findOutput(std::string_view name) const { return find(impl->outputs, name); }

Status Program::bind(PlaceId argument, Span<uint8_t> memory) {
  if (!impl->isArgument(argument))
    return usageError("place #{} is no argument", argument);
  const Place &place = impl->table.places[argument];
  if (static_cast<int64_t>(memory.size()) != place.byteSize)
    return usageError("argument {} has {} bytes, but {} were bound", quote(place.name), place.byteSize, memory.size());
  if (reinterpret_cast<uintptr_t>(memory.data()) % byteWidth(place.dtype) != 0)
    return usageError("memory of argument {} is not aligned to its elements", quote(place.name));
  impl->ownedMemory[impl->root(argument)] = {};
  return impl->setMemory(argument, memory.data());
}

Status Program::bindFrom(Program &other) {
  for (PlaceId id = 0; id < impl->table.places.size(); ++id) {
    if (!impl->isArgument(id) || impl->addresses[impl->root(id)])
      continue;
    const Place &place = impl->table.places[id];
    std::optional<PlaceId> source = other.findInput(place.name);
    if (!source)
      source = other.findOutput(place.name);
    if (!source)
      continue;
    const Place &otherPlace = other.table().places[*source];
    if (otherPlace.dtype != place.dtype || otherPlace.shape != place.shape)
      return usageError("argument {} is {} in program {} and {} in program {}", quote(place.name),
                        formatType(otherPlace.dtype, otherPlace.shape), quote(other.table().name),
                        formatType(place.dtype, place.shape), quote(impl->table.name));
    if (Status status = other.impl->allocate(*source); !status.ok())
      return status;
    if (Status status = bind(id, other.memory(*source)); !status.ok())
      return status;
  }
  return {};
}

Status Program::write(PlaceId argument, const HostTensor &value) {
  if (!impl->isArgument(argument))
    return usageError("place #{} is no argument", argument);
  const Place &place = impl->table.places[argument];
  if (value.dtype() != place.dtype || value.shape() != place.logical)
    return invalidInput("{} {} expects {}, but got {}", rt::name(place.role), quote(place.name),
                        formatType(place.dtype, place.logical), formatType(value.dtype(), value.shape()));
  if (Status status = impl->allocate(argument); !status.ok())
    return status;
  copyToMemory(place, value.bytes().data(), impl->addresses[impl->root(argument)]);
  impl->isPacked = false;
  return {};
}

Expected<HostTensor> Program::read(PlaceId argument) const {
  if (!impl->isArgument(argument))
    return usageError("place #{} is no argument", argument);
  const Place &place = impl->table.places[argument];
  const uint8_t *memory = impl->addresses[impl->root(argument)];
  if (!memory)
    return usageError("{} {} has no value yet", rt::name(place.role), quote(place.name));
  Expected<HostTensor> result = HostTensor::create(place.dtype, place.logical);
  if (result)
    copyFromMemory(place, memory, result->bytes().data());
  return result;
}

Span<uint8_t> Program::memory(PlaceId argument) {
  if (!impl->isArgument(argument) || !impl->addresses[impl->root(argument)])
    return {};
  return {impl->addresses[impl->root(argument)], static_cast<size_t>(impl->table.places[argument].byteSize)};
}

void Program::constantsChanged() { impl->isPacked = false; }

void Program::setThreads(int threads) {
  impl->threads = threads > 0 ? threads : availableProcessors();
  // Libraries choose implementations and scratch for a number of threads.
  impl->hasLibraryRows = false;
}

void Program::setDeterministic(bool isDeterministic) {
  impl->isDeterministic = isDeterministic;
  impl->hasLibraryRows = false;
}

int Program::threads() const { return impl->threads; }

Status Program::prepare() {
  if (Status status = impl->allocateOutputs(); !status.ok())
    return status;
  if (!impl->hasLibraryRows)
    if (Status status = impl->chooseLibraryRows(); !status.ok())
      return status;
  if (!impl->isResolved)
    if (Status status = impl->resolve(); !status.ok())
      return status;
  if (!impl->isPacked)
    if (Status status = impl->packConstants(); !status.ok())
      return status;
  return {};
}

Status Program::Impl::execute(size_t row) {
  if (const auto *dispatch = std::get_if<DispatchRow>(&table.rows[row].operation)) {
    const Kernel &kernel = executable->artifact().kernels[dispatch->kernel];
    parallelFor(executable->kernel(dispatch->kernel), kernelPlaces.data() + kernelPlacesBegin[row], kernel.extent,
                kernel.grain, threads);
    return {};
  }
  Status status = libraryRows[row]->execute();
  return status.ok() ? Status() : std::move(status).in(describe(row));
}

Status Program::run(const std::function<void(size_t row)> &beforeRow) {
  useThreads(impl->threads);
  if (!impl->hasLibraryRows || !impl->isResolved || !impl->isPacked)
    if (Status status = prepare(); !status.ok())
      return status;
  for (size_t i = 0; i < impl->table.rows.size(); ++i) {
    if (beforeRow)
      beforeRow(i);
    if (Status status = impl->execute(i); !status.ok())
      return status;
  }
  return {};
}

Expected<std::optional<size_t>> Program::runToNonFinite() {
  useThreads(impl->threads);
  if (Status status = prepare(); !status.ok())
    return status;
  for (size_t i = 0; i < impl->table.rows.size(); ++i) {
    if (Status status = impl->execute(i); !status.ok())
      return status;
    for (PlaceId place : placesOf(impl->table.rows[i])) {
      const Place &operand = impl->table.places[place];
      if (!allFinite(operand.dtype, {impl->addresses[place], static_cast<size_t>(operand.byteSize)}))
        return std::optional<size_t>(i);
    }
  }
  return std::optional<size_t>();
}

int64_t Program::memoryBytes() const {
  return static_cast<int64_t>(impl->arena.size() + impl->constants.size() + impl->scratch.size());
}

std::string Program::describeRow(size_t row) const {
  if (const auto *dispatch = std::get_if<DispatchRow>(&impl->table.rows[row].operation))
    return impl->executable->artifact().kernels[dispatch->kernel].symbol;
  return impl->libraryRows[row] ? impl->libraryRows[row]->implementation() : std::string();
}
