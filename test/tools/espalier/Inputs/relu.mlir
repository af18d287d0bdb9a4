cg.graph @relu(%x: tensor<2x10xf32>) -> tensor<2x10xf32> {
  %y = cg.relu %x : tensor<2x10xf32>
  cg.return %y : tensor<2x10xf32>
}
