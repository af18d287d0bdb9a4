//===- ArtifactTest.cpp - Artifacts, whole and damaged --------------------===//

#include "Compile.h"

#include "llvm/Object/ELFObjectFile.h"

using namespace espalier;
using namespace espalier::test;

namespace {

constexpr const char *text = R"mlir(
  func.func private @exp(%x: memref<4x40xf32>, %y: memref<4x40xf32>, %begin: index, %end: index)
      attributes {plan.kernel = #plan.kernel<extent = 4>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c40 = arith.constant 40 : index
    scf.for %i = %begin to %end step %c1 {
      scf.for %j = %c0 to %c40 step %c1 {
        %a = memref.load %x[%i, %j] : memref<4x40xf32>
        %b = math.exp %a : f32
        memref.store %b, %y[%i, %j] : memref<4x40xf32>
      }
    }
    return
  }
  plan.program @main {
    %x = plan.argument "x" input logical [4, 39] : memref<4x40xf32>
    %w = plan.argument "w" parameter : memref<8x4x1x1xf32>
    %t = plan.buffer offset 64 : memref<4x40xf32>
    %v = plan.view %t offset 0 : memref<4x40xf32> to memref<1x40x1x4xf32>
    %y = plan.argument "y" output : memref<1x40x1x8xf32>
    plan.dispatch @exp(%x, %t) scope "head" : memref<4x40xf32>, memref<4x40xf32>
    plan.conv2d nhwc %v : memref<1x40x1x4xf32>, %w : memref<8x4x1x1xf32> into %y : memref<1x40x1x8xf32>
      strides [1, 1] pads [0, 0, 0, 0] dilations [1, 1] groups 1 max 6.0
  }
)mlir";

const std::string &artifact() {
  static const std::string bytes = [] {
    Compiled compiled = compile(text);
    EXPECT_EQ(compiled.diagnostics, "");
    return compiled.bytes;
  }();
  return bytes;
}

std::string withManifest(const std::string &manifest) { return test::withManifest(artifact(), manifest); }

std::string manifest() { return manifestOf(artifact()); }

std::string replaced(std::string_view from, std::string_view to) {
  std::string result = manifest();
  size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << "no " << from << " in " << result;
  return result.replace(at, from.size(), to);
}

TEST(Artifact, RoundTrips) {
  auto parsed = rt::Artifact::parse(bytesOf(artifact()));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ASSERT_EQ(parsed->kernels.size(), 1u);
  EXPECT_EQ(parsed->kernels[0].symbol, "exp");
  EXPECT_EQ(parsed->kernels[0].extent, 4);
  const rt::ProgramTable &program = **parsed->findProgram("main");
  EXPECT_EQ(program.arenaBytes, 704);
  ASSERT_EQ(program.places.size(), 5u);
  EXPECT_EQ(program.places[0].logical, (std::vector<int64_t>{4, 39}));
  EXPECT_EQ(program.places[3].source, 2u);
  ASSERT_EQ(program.rows.size(), 2u);
  EXPECT_EQ(program.rows[0].scope, "head");
  EXPECT_EQ(program.rows[0].location, "test.mlir:22:5");
  EXPECT_EQ(rt::operationName(program.rows[1]), "conv2d");
  EXPECT_EQ(std::get<rt::Conv2DRow>(program.rows[1].operation).clamp.max, 6.0f);
  EXPECT_EQ(parsed->metadata, "{}");

  auto missing = parsed->findProgram("train");
  EXPECT_EQ(missing.status().message(), "artifact has no program 'train'; it has: main");
}

TEST(Artifact, SharedObjectImportsNothing) {
  auto parsed = rt::Artifact::parse(bytesOf(artifact()));
  ASSERT_TRUE(parsed.ok());
  llvm::StringRef object(reinterpret_cast<const char *>(parsed->sharedObject.data()), parsed->sharedObject.size());
  auto elf = llvm::object::ELFObjectFile<llvm::object::ELF64LE>::create(llvm::MemoryBufferRef(object, "kernels.so"));
  ASSERT_TRUE(bool(elf)) << llvm::toString(elf.takeError());
  for (const llvm::object::ELFSymbolRef &symbol : elf->getDynamicSymbolIterators()) {
    llvm::Expected<uint32_t> flags = symbol.getFlags();
    ASSERT_TRUE(bool(flags));
    EXPECT_FALSE(*flags & llvm::object::SymbolRef::SF_Undefined) << llvm::cantFail(symbol.getName()).str();
  }
  auto entries = elf->getELFFile().dynamicEntries();
  ASSERT_TRUE(bool(entries));
  for (const auto &entry : *entries)
    EXPECT_NE(entry.getTag(), llvm::ELF::DT_NEEDED);
}

TEST(Artifact, EveryTruncationIsAnError) {
  for (size_t size = 0; size < artifact().size(); size += size < 4096 ? 1 : 61) {
    auto parsed = rt::Artifact::parse(bytesOf(artifact().substr(0, size)));
    ASSERT_FALSE(parsed.ok()) << size << " bytes";
    ASSERT_EQ(parsed.status().code(), rt::StatusCode::InvalidInput) << size << " bytes";
  }
}

TEST(Artifact, EveryFlippedByteIsAnError) {
  for (size_t at = 0; at < artifact().size(); at += at < 4096 ? 1 : 61) {
    std::string damaged = artifact();
    damaged[at] ^= 0x40;
    ASSERT_FALSE(rt::Artifact::parse(bytesOf(damaged)).ok()) << "byte " << at;
  }
}

struct BadManifest {
  const char *from, *to, *message;
};

TEST(Artifact, ManifestIsChecked) {
  const BadManifest cases[] = {
      {"\"arena_bytes\":704", "\"arena_bytes\":640",
       "manifest: program 'main': place #2: has 640 bytes at offset 64 of 640 bytes"},
      {"\"arena_bytes\":704", "\"arena_bytes\":9223372036854775807",
       "manifest: program 'main': expected 'arena_bytes' to be an integer in [0, 70368744177664], but got "
       "9223372036854775807"},
      {"\"arena_bytes\":704", "\"arena_bytes\":-1",
       "manifest: program 'main': expected 'arena_bytes' to be an integer in [0, 70368744177664], but got -1"},
      {"\"arena_bytes\":704", "\"arena_bytes\":18446744073709551615",
       "manifest: program 'main': expected 'arena_bytes' to be an integer in [0, 70368744177664], but got "
       "18446744073709551615"},
      {"\"kernel\":0", "\"kernel\":1",
       "manifest: program 'main': row #0: expected 'kernel' to be an integer in [0, 0], but got 1"},
      {"\"places\":[0,2]", "\"places\":[0,5]",
       "manifest: program 'main': row #0: expected 'places' to be an integer in [0, 4], but got 5"},
      {"\"places\":[0,2]", "\"places\":{}",
       "manifest: program 'main': row #0: expected 'places' to be a list, but got object"},
      {"\"source\":2", "\"source\":3",
       "manifest: program 'main': place #3: expected 'source' to be an integer in [0, 2], but got 3"},
      {"\"offset\":64", "\"offset\":60", "manifest: program 'main': place #2: has 640 bytes at offset 60 of 704 bytes"},
      {"\"logical\":[4,39]", "\"logical\":[4,41]",
       "manifest: program 'main': place #0: has logical shape [4, 41] and permutation [0, 1], which do not fit shape "
       "[4, 40]"},
      {"\"permutation\":[0,1]", "\"permutation\":[1,1]",
       "manifest: program 'main': place #0: has logical shape [4, 39] and permutation [1, 1], which do not fit shape "
       "[4, 40]"},
      {"\"dtype\":\"f32\"", "\"dtype\":\"f31\"", "manifest: program 'main': place #0: has unknown dtype 'f31'"},
      {"\"shape\":[4,40]", "\"shape\":[4611686018427387904,40]",
       "manifest: program 'main': place #0: expected 'shape' to be an integer in [0, 70368744177664], but got "
       "4611686018427387904"},
      {"\"shape\":[4,40]", "\"shape\":[70368744177663,70368744177663]",
       "manifest: program 'main': place #0: has more than 2^46 bytes: f32[70368744177663, 70368744177663]"},
      {"\"role\":\"input\"", "\"role\":\"inputs\"", "manifest: program 'main': place #0: has unknown role 'inputs'"},
      {"\"kind\":\"view\"", "\"kind\":\"vow\"", "manifest: program 'main': place #3: has unknown kind 'vow'"},
      {"\"op\":\"conv2d\"", "\"op\":\"conv3d\"",
       "manifest: program 'main': row #1: has operation 'conv3d', which this runtime does not know"},
      {"\"strides\":[1,1]", "\"strides\":[1]",
       "manifest: program 'main': row #1: expected 'strides' to have 2 entries, but got 1"},
      {"\"strides\":[1,1]", "\"strides\":[0,1]",
       "manifest: program 'main': row #1: expected 'strides' to be an integer in [1, 2147483647], but got 0"},
      {"\"layout\":\"nhwc\"", "\"layout\":\"hwcn\"", "manifest: program 'main': row #1: has unknown layout 'hwcn'"},
      {"\"max\":6", "\"max\":\"6\"", "manifest: program 'main': row #1: expected 'max' to be a number, but got string"},
      {"\"grain\":4", "\"grain\":5", "manifest: expected 'grain' to be an integer in [1, 4], but got 5"},
      {"\"constant_filter\":false", "\"constant_filter\":0",
       "manifest: program 'main': row #1: expected 'constant_filter' to be true or false, but got number"},
      {"\"cpu\"", "\"cpus\"", "manifest: lacks 'cpu'"},
      {"\"metadata\":{}", "\"metadata\":[]", "manifest: expected 'metadata' to be an object, but got array"},
      {"{", "[", "manifest is not valid JSON"},
  };
  ASSERT_TRUE(rt::Artifact::parse(bytesOf(withManifest(manifest()))).ok());
  for (const BadManifest &bad : cases) {
    auto parsed = rt::Artifact::parse(bytesOf(withManifest(replaced(bad.from, bad.to))));
    ASSERT_FALSE(parsed.ok()) << bad.to;
    EXPECT_EQ(parsed.status().message(), bad.message);
  }
  std::string deep = replaced("\"metadata\":{}", "\"metadata\":" + std::string(100000, '['));
  EXPECT_EQ(rt::Artifact::parse(bytesOf(withManifest(deep))).status().message(),
            "manifest is nested deeper than 64 levels");
}

TEST(Executable, RefusesAnotherProcessor) {
  std::string changed = replaced("\"extensions\":[", "\"extensions\":[\"avx9000\",");
  auto loaded = rt::Executable::load(bytesOf(withManifest(changed)));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().code(), rt::StatusCode::Unsupported);
  EXPECT_NE(loaded.status().message().find("but this processor lacks avx9000"), std::string::npos)
      << loaded.status().message();
}

TEST(Executable, RefusesAMissingKernel) {
  auto loaded = rt::Executable::load(bytesOf(withManifest(replaced("\"symbol\":\"exp\"", "\"symbol\":\"log\""))));
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.status().message(), "code of the artifact lacks kernel 'log'");
}

TEST(CPUTarget, LevelsNameTheirExtensions) {
  codegen::ArtifactOptions options;
  options.cpu = "x86-64-v2";
  Compiled compiled = compile(text, options);
  auto parsed = rt::Artifact::parse(bytesOf(compiled.bytes));
  ASSERT_TRUE(parsed.ok()) << compiled.diagnostics;
  EXPECT_EQ(parsed->cpu, "x86-64-v2");
  EXPECT_EQ(parsed->extensions, (std::vector<std::string>{"sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"}));
  // Every machine that runs the tests has at least these.
  EXPECT_TRUE(rt::Executable::load(bytesOf(compiled.bytes)).ok());
}

TEST(CPUTarget, UnknownNameIsAnError) {
  codegen::ArtifactOptions options;
  options.cpu = "z80";
  EXPECT_EQ(compile(text, options).diagnostics,
            "expects cpu to be 'host', an x86-64 level (x86-64-v2, x86-64-v3, x86-64-v4) or a processor that LLVM "
            "knows, but got 'z80'\n");
}

TEST(ArtifactOptions, MetadataMustBeAnObject) {
  codegen::ArtifactOptions options;
  options.metadata = "[1]";
  EXPECT_NE(compile(text, options).diagnostics.find("expects metadata to be a JSON object, but got [1]"),
            std::string::npos);
  options.metadata = R"({"classes":["cat","dog"]})";
  auto parsed = rt::Artifact::parse(bytesOf(compile(text, options).bytes));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->metadata, options.metadata);
}

} // namespace
