//===- Safetensors.h - Named tensors in a .safetensors file -----*- C++ -*-===//
//
// Format: https://github.com/huggingface/safetensors#format. Eight bytes of header length, a JSON header that gives
// dtype, shape and byte range of every tensor, then the data.
//
//===----------------------------------------------------------------------===//

#ifndef ESPALIER_RUNTIME_CORE_SAFETENSORS_H
#define ESPALIER_RUNTIME_CORE_SAFETENSORS_H

#include "espalier/Runtime/Core/File.h"
#include "espalier/Runtime/Core/HostTensor.h"

#include <map>

namespace espalier::rt {

using Metadata = std::map<std::string, std::string>;

/// What the header says of one tensor; the byte range counts from the start of the data.
struct SafetensorsEntry {
  DType dtype;
  std::vector<int64_t> shape;
  uint64_t begin;
  uint64_t end;
};

/// An open file whose header was read and verified: every range fits its dtype and shape, and the ranges cover the
/// data without overlap or hole. Tensors are read one by one.
class SafetensorsFile {
public:
  static Expected<SafetensorsFile> open(const std::string &path);

  const std::string &path() const { return file.path(); }
  /// The header's `__metadata__`.
  const Metadata &metadata() const { return meta; }
  const std::map<std::string, SafetensorsEntry> &entries() const { return tensors; }
  /// Reads the tensor of that name; InvalidInput if there is none.
  Expected<HostTensor> read(const std::string &name) const;

private:
  SafetensorsFile(InputFile file, uint64_t dataStart, Metadata meta, std::map<std::string, SafetensorsEntry> tensors)
      : file(std::move(file)), dataStart(dataStart), meta(std::move(meta)), tensors(std::move(tensors)) {}

  InputFile file;
  uint64_t dataStart;
  Metadata meta;
  std::map<std::string, SafetensorsEntry> tensors;
};

/// Writes the tensors, but for the commit.
Expected<AtomicFile> stageSafetensors(const std::string &path, const std::map<std::string, const HostTensor *> &tensors,
                                      const Metadata &metadata = {});

/// Writes the tensors atomically. They lie by falling element width, then by name, so that each is aligned to its
/// element and equal content gives equal bytes.
Status writeSafetensors(const std::string &path, const std::map<std::string, const HostTensor *> &tensors,
                        const Metadata &metadata = {});

} // namespace espalier::rt

#endif // ESPALIER_RUNTIME_CORE_SAFETENSORS_H
