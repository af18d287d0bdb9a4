//===- Processor.cpp - What this machine can execute ----------------------===//

#include "espalier/Runtime/CPU/Processor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <oneapi/dnnl/dnnl.h>

#include <fstream>

using namespace espalier::rt;

/// Whether the machine has an extension. The builtin wants a literal, and also asks the operating system whether it
/// saves the registers.
static bool hasExtension(std::string_view name) {
#define ESPALIER_EXTENSION(llvmName, gccName)                                                                          \
  if (name == llvmName)                                                                                                \
    return __builtin_cpu_supports(gccName);
  ESPALIER_EXTENSION("sse3", "sse3")
  ESPALIER_EXTENSION("ssse3", "ssse3")
  ESPALIER_EXTENSION("sse4.1", "sse4.1")
  ESPALIER_EXTENSION("sse4.2", "sse4.2")
  ESPALIER_EXTENSION("popcnt", "popcnt")
  ESPALIER_EXTENSION("lzcnt", "lzcnt")
  ESPALIER_EXTENSION("movbe", "movbe")
  ESPALIER_EXTENSION("bmi", "bmi")
  ESPALIER_EXTENSION("bmi2", "bmi2")
  ESPALIER_EXTENSION("avx", "avx")
  ESPALIER_EXTENSION("avx2", "avx2")
  ESPALIER_EXTENSION("fma", "fma")
  ESPALIER_EXTENSION("f16c", "f16c")
  ESPALIER_EXTENSION("avx512f", "avx512f")
  ESPALIER_EXTENSION("avx512cd", "avx512cd")
  ESPALIER_EXTENSION("avx512bw", "avx512bw")
  ESPALIER_EXTENSION("avx512dq", "avx512dq")
  ESPALIER_EXTENSION("avx512vl", "avx512vl")
  ESPALIER_EXTENSION("avx512ifma", "avx512ifma")
  ESPALIER_EXTENSION("avx512vbmi", "avx512vbmi")
  ESPALIER_EXTENSION("avx512vbmi2", "avx512vbmi2")
  ESPALIER_EXTENSION("avx512vnni", "avx512vnni")
  ESPALIER_EXTENSION("avx512bitalg", "avx512bitalg")
  ESPALIER_EXTENSION("avx512vpopcntdq", "avx512vpopcntdq")
  ESPALIER_EXTENSION("avx512bf16", "avx512bf16")
  ESPALIER_EXTENSION("avx512fp16", "avx512fp16")
  ESPALIER_EXTENSION("avxvnni", "avxvnni")
  ESPALIER_EXTENSION("gfni", "gfni")
  ESPALIER_EXTENSION("vaes", "vaes")
  ESPALIER_EXTENSION("vpclmulqdq", "vpclmulqdq")
#undef ESPALIER_EXTENSION
  return false;
}

Status espalier::rt::checkProcessor(const std::string &cpu, const std::vector<std::string> &extensions) {
  __builtin_cpu_init();
  std::vector<std::string> missing;
  for (const std::string &extension : extensions)
    if (!hasExtension(extension))
      missing.push_back(extension);
  if (missing.empty())
    return {};
  return unsupported("artifact was compiled for {}, but this processor lacks {}; compile with --cpu=x86-64-v3 for any "
                     "processor with AVX2, or on this machine",
                     cpu, fmt::join(missing, ", "));
}

std::string espalier::rt::processorName() {
  std::ifstream file("/proc/cpuinfo");
  constexpr std::string_view key = "model name";
  for (std::string line; std::getline(file, line);)
    if (std::string_view(line).substr(0, key.size()) == key)
      if (size_t start = line.find(": "); start != std::string::npos)
        return line.substr(start + 2);
  return "unknown";
}

std::string espalier::rt::libraryVersion() {
  const dnnl_version_t *version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}
