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
  // Longer names are not typing errors of anything, and the distance is quadratic.
  if (name.size() > 64)
    return "";
  StringRef best;
  unsigned bestDistance = std::max<unsigned>(1, name.size() / 3) + 1;
  for (StringRef candidate : candidates) {
    if (candidate.size() > 64)
      continue;
    unsigned distance = name.edit_distance(candidate, /*AllowReplacements=*/true, bestDistance);
    if (distance < bestDistance) {
      bestDistance = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : ("; did you mean '" + best + "'?").str();
}
