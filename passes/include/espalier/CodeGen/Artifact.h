//===- Artifact.h - Kernels phase to the bytes of an .espx file -*- C++ -*-===//
//
// Layout of an artifact, all numbers little-endian:
//
//   0   8 bytes   magic: 89 'E' 'S' 'P' 'X' 0d 0a 1a
//   8   u32       format version, 1
//   12  u32       CRC-32 (zlib's) of everything from byte 16
//   16  u64       bytes of the manifest
//   24  u64       bytes of the shared object
//   32  manifest (JSON), zero padding to a multiple of 64, shared object
//
// The manifest:
//
//   {"cpu": name, "extensions": [name...], "kernels": [{"symbol", "extent", "grain"}...], "metadata": {...},
//    "programs": [{"name", "arena_bytes", "places": [place...], "rows": [row...]}...]}
//
// A place is one of
//   {"kind": "argument", "name", "role", "dtype", "shape", "logical", "permutation", "tied": place or absent}
//   {"kind": "buffer", "offset", "dtype", "shape"}
//   {"kind": "view", "source": place, "offset", "dtype", "shape"}
// where places are named by their index and come before their uses. A row is
//   {"op": "dispatch", "kernel": index, "places": [place...], "location", "scope"}
// or a library call, whose keys are the operands and attributes of the `plan` operation of that name. The row of a
// convolution or matrix product has "candidate", how it runs, and "reason", why, as well.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_CODEGEN_ARTIFACT_H
#define ESPALIER_CODEGEN_ARTIFACT_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace espalier::codegen {

struct ArtifactOptions {
  /// See CPUTarget::get.
  std::string cpu = "host";
  /// Goes into the manifest as it is: preprocessing, class names, versions. A JSON object.
  std::string metadata = "{}";
  /// Fail when a matmul or convolution reaches scalar loops.
  bool forbidScalarContractions = false;
};

/// Compiles a module of the `kernels` phase (`plan` programs and their kernels), which stays as it is. Returns the
/// bytes of the artifact; on failure the error is reported at its location.
mlir::FailureOr<std::string> emitArtifact(mlir::ModuleOp module, const ArtifactOptions &options = {});

} // namespace espalier::codegen

#endif // ESPALIER_CODEGEN_ARTIFACT_H
