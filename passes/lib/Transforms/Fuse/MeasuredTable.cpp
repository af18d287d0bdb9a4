//===- MeasuredTable.cpp - measured times of contractions -----------------===//

#include "espalier/Transforms/MeasuredTable.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <set>

using namespace mlir;
using namespace espalier::cg;

static constexpr uint64_t maxFileBytes = 16 << 20;

static constexpr char builtinText[] =
#include "KernelTable.inc"
    ;

llvm::StringRef MeasuredTable::getBuiltinText() { return builtinText; }

LogicalResult MeasuredTable::parse(llvm::StringRef text, llvm::StringRef file, MLIRContext &context) {
  std::set<Key> seen;
  for (unsigned line = 1; !text.empty(); ++line) {
    llvm::StringRef row;
    std::tie(row, text) = text.split('\n');
    llvm::SmallVector<llvm::StringRef> fields;
    llvm::SplitString(row.split('#').first, fields, " \t\r");
    if (fields.empty())
      continue;
    int64_t nanoseconds = 0;
    Location loc = FileLineColLoc::get(&context, file, line, 1);
    if (fields.size() != 4)
      return emitError(loc) << "expects 'processor signature candidate nanoseconds', but got " << fields.size()
                            << " fields";
    if (fields[3].getAsInteger(10, nanoseconds) || nanoseconds <= 0)
      return emitError(loc) << "expects a positive number of nanoseconds, but got '" << fields[3] << "'";
    Key key(fields[0].str(), fields[1].str(), fields[2].str());
    if (!seen.insert(key).second)
      return emitError(loc) << "gives '" << fields[1] << "' by '" << fields[2] << "' on '" << fields[0] << "' twice";
    entries[std::move(key)] = nanoseconds;
  }
  return success();
}

LogicalResult MeasuredTable::read(llvm::StringRef file, MLIRContext &context) {
  Location loc = FileLineColLoc::get(&context, file, 1, 1);
  auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/true, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return emitError(loc) << "the kernel table cannot be read: " << buffer.getError().message();
  if ((*buffer)->getBufferSize() > maxFileBytes)
    return emitError(loc) << "expects a kernel table of at most " << maxFileBytes << " bytes, but got "
                          << (*buffer)->getBufferSize();
  return parse((*buffer)->getBuffer(), file, context);
}

std::optional<int64_t> MeasuredTable::lookup(llvm::StringRef processor, llvm::StringRef signature,
                                             llvm::StringRef candidate) const {
  auto it = entries.find(Key(processor.str(), signature.str(), candidate.str()));
  return it == entries.end() ? std::nullopt : std::optional(it->second);
}

void MeasuredTable::set(llvm::StringRef processor, llvm::StringRef signature, llvm::StringRef candidate,
                        int64_t nanoseconds) {
  entries[Key(processor.str(), signature.str(), candidate.str())] = nanoseconds;
}

std::string MeasuredTable::print() const {
  std::string text = "# processor signature candidate nanoseconds\n";
  for (const auto &[key, nanoseconds] : entries) {
    const auto &[processor, signature, candidate] = key;
    text += processor + " " + signature + " " + candidate + " " + std::to_string(nanoseconds) + "\n";
  }
  return text;
}
