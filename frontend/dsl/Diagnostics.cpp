//===- Diagnostics.cpp - Messages of the architecture language ------------===//

#include "Diagnostics.h"

using namespace espalier::dsl;
using llvm::StringRef;

StringRef espalier::dsl::format(Diag diag) {
  static constexpr const char *formats[] = {
#define DIAG(ID, FORMAT) FORMAT,
#define NOTE(ID, FORMAT) FORMAT,
#include "Diagnostics.def"
  };
  return formats[unsigned(diag)];
}

void ErrorBuilder::attach(mlir::Location loc, const std::string &text) {
  constexpr unsigned maxCalls = 8;
  auto site = llvm::dyn_cast<mlir::CallSiteLoc>(loc);
  diag->attachNote(site ? site.getCallee() : loc) << text;
  for (unsigned calls = 0; site && calls < maxCalls; ++calls) {
    mlir::Location caller = site.getCaller();
    site = llvm::dyn_cast<mlir::CallSiteLoc>(caller);
    diag->attachNote(site ? site.getCallee() : caller) << format(Diag::ThroughCall);
  }
}

ErrorBuilder Diagnostics::emit(mlir::Location loc, const llvm::Twine &message) {
  std::string text = message.str();
  if (exhausted() || !seen.insert({loc.getAsOpaquePointer(), llvm::hash_value(text)}).second)
    return {};
  if (++errors > maxErrors) {
    mlir::emitError(loc) << llvm::formatv(format(Diag::TooManyErrors).data(), maxErrors).str();
    return {};
  }
  return ErrorBuilder(mlir::emitError(loc) << text);
}

std::string espalier::dsl::didYouMean(StringRef name, llvm::ArrayRef<StringRef> candidates) {
  // One letter is no slip of another, longer names are not slips of anything, and the distance is quadratic.
  if (name.size() < 2 || name.size() > 64)
    return "";
  StringRef best;
  unsigned bestDistance = ~0u;
  for (StringRef candidate : candidates) {
    if (candidate.size() > 64 || candidate == name)
      continue;
    // Swapped letters count as two edits: close nonetheless, even in short names.
    unsigned limit = std::max<unsigned>(1, name.size() / 3);
    if (candidate.size() == name.size() && std::is_permutation(name.begin(), name.end(), candidate.begin()))
      limit = std::max(limit, 2u);
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, limit);
    if (distance <= limit && distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : ("; did you mean '" + best + "'?").str();
}
