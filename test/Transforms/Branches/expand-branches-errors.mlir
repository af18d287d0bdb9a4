// RUN: not espalier-opt %s --cg-expand-branches 2>&1 | FileCheck %s --check-prefix=EMPTY
// RUN: not espalier-opt %s --cg-expand-branches=block=acme 2>&1 | FileCheck %s --check-prefix=UNKNOWN
// RUN: not espalier-opt %s --cg-expand-branches=block=missing.esp 2>&1 | FileCheck %s --check-prefix=MISSING
// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp 2>&1 | FileCheck %s --check-prefix=STEM
// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp: 2>&1 | FileCheck %s --check-prefix=STEM
// RUN: not espalier-opt %s "--cg-expand-branches=block=%S/Inputs/blocks.esp:2x" 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp:shrinking 2>&1 | FileCheck %s --check-prefix=RESULT
// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp:misshapen 2>&1 | FileCheck %s --check-prefix=PARAMETER
// RUN: not espalier-opt %s --cg-expand-branches=block=%S/Inputs/blocks.esp:picky 2>&1 | FileCheck %s --check-prefix=PICKY
// RUN: not espalier-opt %s "--cg-expand-branches=block=%S/Inputs/blocks.esp:picky initialize=preserve" 2>&1 | FileCheck %s --check-prefix=NO-PRESERVE
// RUN: not espalier-opt %s "--cg-expand-branches=block=%S/Inputs/blocks.esp:nameless initialize=preserve" 2>&1 | FileCheck %s --check-prefix=NAMELESS
// RUN: not espalier-opt %s "--cg-expand-branches=block=acnet paths=conv*,layer*" 2>&1 | FileCheck %s --check-prefix=PATHS
// RUN: not espalier-opt %s "--cg-expand-branches=block=acnet paths=[" 2>&1 | FileCheck %s --check-prefix=PATTERN
// RUN: not espalier-opt %s "--cg-expand-branches=block=acnet scope=a..b" 2>&1 | FileCheck %s --check-prefix=SCOPE
// RUN: not espalier-opt %s "--cg-expand-branches=block=acnet scope=a." 2>&1 | FileCheck %s --check-prefix=SCOPE
// RUN: not espalier-opt %s "--cg-expand-branches=block=acnet scope=a/b" 2>&1 | FileCheck %s --check-prefix=SCOPE
// RUN: not espalier-opt %s "--cg-expand-branches=block=%S/Inputs/blocks.esp:nameless initialize=grow" 2>&1 | FileCheck %s --check-prefix=NAMELESS
// RUN: sed 's/cg.return/%%g = cg.parameter_gradient "conv.weight", %%w : tensor<4x4x3x3xf32> cg.return/' %s > %t.mlir
// RUN: not espalier-opt %t.mlir --cg-expand-branches=block=acnet 2>&1 | FileCheck %s --check-prefix=TRAINED
// RUN: not espalier-opt %t.mlir --cg-branches-to-gradient-scaling 2>&1 | FileCheck %s --check-prefix=CONVERTED
// RUN: espalier-opt %t.mlir --cg-fold-branches | FileCheck %s --check-prefix=FOLDED

// TRAINED: error: expects a graph without gradients: branches would have none
// CONVERTED: error: expects a graph without gradients: its branches are trained already
// Folding leaves what a gradient reads.
// FOLDED: cg.parameter_gradient "conv.weight"
// EMPTY: error: expects the name of a block of branches
// UNKNOWN: :[[#@LINE+18]]:8: error: unknown block 'acme': expects acnet, dbb, dyrep_average, dyrep_chain, dyrep_column, dyrep_identity, dyrep_origin, dyrep_point, dyrep_row, dyrep_square, mobileone, orepa, repvgg, FILE.esp or FILE.esp:BLOCK
// MISSING: error: cannot read 'missing.esp': No such file or directory
// MISSING: :[[#@LINE+16]]:8: error: this convolution cannot be expanded into the block 'missing.esp'
// STEM: error: unknown name 'blocks'
// NAME: error: expects the name of a block as in FILE.esp:BLOCK, but got '{{.*}}blocks.esp:2x'
// RESULT: error: cannot be expanded into the block '{{.*}}:shrinking': expects a result 'tensor<2x4x8x8xf32>', but got 'tensor<2x4x6x6xf32>'
// PARAMETER: error: expects to become the parameter 'conv.weight' of the block '{{.*}}:misshapen', but that has the type 'tensor<4x4xf32>'
// PARAMETER: Inputs/blocks.esp:{{[0-9]+}}:{{[0-9]+}}: note: declared here
// PICKY: Inputs/blocks.esp:{{.*}}: error: not for windows of 3 rows
// PICKY: error: this convolution cannot be expanded into the block
// NO-PRESERVE: error: 'picky' has no parameter 'preserve'
// NAMELESS: error: cannot be expanded into the block '{{.*}}:nameless': it has no parameter 'conv.weight' that could keep the filter
// PATHS: error: no convolution has a filter at a path that matches 'layer*'
// SCOPE: error: expects a scope of letters, digits, '_' and '-' joined by '.', but got 'a
// PATTERN: error: expects a pattern of parameter paths, but got '[': invalid glob pattern

cg.graph @net(%x: tensor<2x4x8x8xf32>) -> tensor<2x4x8x8xf32> {
  %w = cg.parameter "conv.weight" : tensor<4x4x3x3xf32>
  %y = cg.conv2d %x, %w pads [1, 1, 1, 1] : tensor<2x4x8x8xf32>, tensor<4x4x3x3xf32>
  cg.return %y : tensor<2x4x8x8xf32>
}
