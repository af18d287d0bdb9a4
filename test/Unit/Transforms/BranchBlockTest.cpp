//===- BranchBlockTest.cpp - where the block of a convolution ends --------===//

#include "../TestRegistry.h"

#include "espalier/Transforms/BranchBlock.h"

#include "espalier/Frontend/DSL.h"

#include "mlir/IR/Diagnostics.h"

#include <gtest/gtest.h>

using namespace espalier;

namespace {

class BranchBlocks : public testing::Test {
protected:
  BranchBlocks() : context(makeRegistry(), mlir::MLIRContext::Threading::DISABLED) {
    context.loadAllAvailableDialects();
  }

  /// The block of the filter "c.weight" in a network with this body.
  mlir::FailureOr<cg::BranchBlock> find(const std::string &body) {
    llvm::SourceMgr sources;
    std::string text = "arch net(x: f32[N, 4, H, W]) { " + body + " }";
    sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text, "net.esp"), llvm::SMLoc());
    module = parseArchitecture(sources, &context);
    EXPECT_TRUE(bool(module)) << body;
    if (!module)
      return mlir::failure();
    return cg::findBranchBlock(graph(), "c.weight");
  }
  cg::GraphOp graph() { return *module->getOps<cg::GraphOp>().begin(); }

  /// What the block ends with.
  std::string endOf(const std::string &body) {
    mlir::FailureOr<cg::BranchBlock> block = find(body);
    if (failed(block))
      return "none";
    return block->end.getDefiningOp()->getName().getStringRef().str();
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

TEST_F(BranchBlocks, EndWhereSumsOfTheirImageDo) {
  EXPECT_EQ(endOf("x |> conv(4, 3, bias = false) as c |> relu"), "cg.conv2d");
  EXPECT_EQ(endOf("x |> conv(4, 3, bias = false) as c |> batch_norm as n |> relu"), "cg.batch_norm");
  EXPECT_EQ(endOf("x |> conv(4, 3) as c |> relu"), "cg.add");
  // The image itself, and a branch of it, be they left or right.
  EXPECT_EQ(endOf("x + (x |> conv(4, 3, bias = false) as c |> batch_norm as n) |> relu"), "cg.add");
  EXPECT_EQ(endOf("(x |> conv(4, 3, bias = false) as c) + (x |> avg_pool(3, 1, 1)) |> relu"), "cg.add");
}

TEST_F(BranchBlocks, EndBeforeWhatIsNot) {
  // A nonlinear branch, another image, two readers.
  EXPECT_EQ(endOf("(x |> conv(4, 3, bias = false) as c) + relu(x)"), "cg.conv2d");
  EXPECT_EQ(endOf("x + (x |> relu |> conv(4, 3, bias = false) as c)"), "cg.conv2d");
  EXPECT_EQ(endOf("y = x |> conv(4, 3, bias = false) as c\n y + x + y"), "cg.conv2d");
}

TEST_F(BranchBlocks, AreFoundByTheirFilter) {
  std::string errors;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diag) { errors += diag.str() + "\n"; });
  EXPECT_TRUE(failed(find("x |> conv(4, 3) as other")));
  EXPECT_EQ(errors, "expects one convolution whose filter is the parameter 'c.weight', but got 0\n");
  errors.clear();
  EXPECT_TRUE(failed(find("(x |> conv(4, 3) as c) + (relu(x) |> conv(4, 3) as c)")));
  EXPECT_EQ(errors, "expects one convolution whose filter is the parameter 'c.weight', but got 2\n");
}

TEST_F(BranchBlocks, AreFoldedOnlyWhereTheyAreAffine) {
  std::string errors;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diag) { errors += diag.str() + "\n"; });
  mlir::FailureOr<cg::BranchBlock> block = find("(x |> conv(4, 3, bias = false) as c) + x");
  ASSERT_TRUE(succeeded(block));
  EXPECT_TRUE(bool(cg::foldBlock(*block)));
  EXPECT_EQ(errors, "");
  // A product of two images.
  block = find("(x |> conv(4, 3, bias = false) as c) + x * x");
  ASSERT_TRUE(succeeded(block));
  EXPECT_FALSE(bool(cg::foldBlock(*block)));
  EXPECT_EQ(errors, "cannot be folded with its branches into one convolution of its window\n");
  errors.clear();
  // A branch with a larger window.
  block = find("(x |> conv(4, 3, bias = false) as c) + (x |> conv(4, 5) as d)");
  ASSERT_TRUE(succeeded(block));
  EXPECT_FALSE(bool(cg::foldBlock(*block)));
  EXPECT_EQ(errors, "cannot be folded with its branches into one convolution of its window\n");
}

/// A tool without the language can still say why.
TEST_F(BranchBlocks, AreRefusedWithAReason) {
  ASSERT_TRUE(succeeded(find("x |> conv(4, 1, bias = false) as c")));
  EXPECT_EQ(cg::refuseBlock(graph(), "c.weight", "acnet"), "its window is 1x1, not of odd numbers of at least 3");
  EXPECT_EQ(cg::refuseBlock(graph(), "d.weight", "acnet"), "no convolution has the filter 'd.weight' for itself");
  ASSERT_TRUE(succeeded(find("x |> conv(4, 3, bias = false) as c")));
  EXPECT_EQ(cg::refuseBlock(graph(), "c.weight", "acnet"), "this tool cannot read blocks of branches");
}

} // namespace
